import { spawnSync } from 'node:child_process';
import * as path from 'node:path';

it('leaves less of what a start has thrown away', () => {
  const script = `
    const { giveBackStartUpMemory } = require(${JSON.stringify(path.join(__dirname, '..', 'dist', 'start-up-memory.js'))});
    // Old enough that no collection of the young takes it.
    const throwAway = () => Array.from({ length: 400_000 }, (_, index) => ({ index })).length;
    throwAway();
    const before = process.memoryUsage().heapUsed;
    giveBackStartUpMemory();
    process.stdout.write(String(before - process.memoryUsage().heapUsed));
  `;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  expect(Number(stdout)).toBeGreaterThan(4 * 1024 * 1024);
});

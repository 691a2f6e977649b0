/** The built command at the end of a pipe. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAM = join(__dirname, '..', 'dist', 'main.js');
const ENTRIES = 5000;

describe('a large listing on a pipe', () => {
  let directory: string;
  let env: NodeJS.ProcessEnv;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'cli-pipe-'));
    env = { PATH: process.env['PATH'], HOME: directory, OPENCLAW_STATE_DIR: directory };
    mkdirSync(join(directory, 'agents', 'main', 'sessions'), { recursive: true });
    const entries = Array.from({ length: ENTRIES }, (_, index) => [`agent:main:telegram:direct:${index}`, { sessionId: `s${index}`, updatedAt: index + 1, label: 'x'.repeat(100) }]);
    writeFileSync(join(directory, 'agents', 'main', 'sessions', 'sessions.json'), JSON.stringify(Object.fromEntries(entries)));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('arrives whole though the reader is slow', async () => {
    const child = spawn(process.execPath, [PROGRAM, 'sessions', '--json', '--limit', 'all'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const chunks: Buffer[] = [];
    child.stdout.pause();
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    // The child fills the pipe and has to wait before anything is taken from it.
    await new Promise((resolve) => child.stdout.once('readable', resolve));
    child.stdout.resume();
    const code = await new Promise((resolve) => child.once('close', resolve));
    const document = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { sessions: unknown[] };
    expect(code).toBe(0);
    expect(document.sessions).toHaveLength(ENTRIES);
  });

  it('ends quietly when the reader leaves', () => {
    const { status, stderr } = spawnSync('sh', ['-c', `"$NODE" "$PROGRAM" sessions --json --limit all | head -c 10 >/dev/null; echo done`], { env: { ...env, NODE: process.execPath, PROGRAM }, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

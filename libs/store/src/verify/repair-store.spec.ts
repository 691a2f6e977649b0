import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { openStore, type OpenStoreOptions } from '../open-store';
import { repairStore } from './repair-store';

let dir: string;
let file: string;
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(tmpdir(), 'repair-store-'));
  file = path.join(dir, 'sessions.json');
});
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

const options = (): OpenStoreOptions => ({ agentId: 'main', sessionsFile: file, instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() } });

it('moves a directory with all that is in it out of the place of the sessions file, and writes the file again from the index', async () => {
  const store = await openStore(options());
  await store.mutate({ decide: () => ({ effects: [{ kind: 'putEntry', key: 'agent:main:main', set: { sessionId: 'a', updatedAt: 1 } }], result: null }) });
  await store.close();
  fs.rmSync(file);
  fs.mkdirSync(file);
  fs.writeFileSync(path.join(file, 'somebody-needs-this'), 'kept');
  const { before, after } = await repairStore(options());
  expect([before.ok, after.ok]).toEqual([false, true]);
  expect(Object.keys(JSON.parse(fs.readFileSync(file, 'utf8')) as object)).toEqual(['agent:main:main']);
  const [aside] = fs.readdirSync(path.join(dir, '.store/quarantine'));
  expect(aside).toMatch(/^sessions\.json\.not-a-file-/);
  expect(fs.readFileSync(path.join(dir, '.store/quarantine', aside as string, 'somebody-needs-this'), 'utf8')).toBe('kept');
});

import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { AgentStore } from './agent-store';
import { openStore } from './open-store';

const TIMEOUT_MS = 30_000;
const KEY = 'agent:main:main';
/** More than the pool has threads. */
const READS = 24;

let root: string;
let file: string;
let store: AgentStore;

beforeEach(async () => {
  root = fs.mkdtempSync(path.join(tmpdir(), 'store-no-transcript-'));
  const sessions = path.join(root, 'sessions');
  fs.mkdirSync(sessions);
  fs.writeFileSync(path.join(sessions, 'sessions.json'), JSON.stringify({ [KEY]: { sessionId: 's-1', updatedAt: 1000 } }));
  file = path.join(sessions, 's-1.jsonl');
  store = await openStore({ agentId: 'main', sessionsFile: path.join(sessions, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => 1_795_000_000_000 } });
});

afterEach(async () => {
  await store.close();
  fs.rmSync(root, { recursive: true, force: true });
});

describe.each([
  ['a pipe', (): void => void execFileSync('mkfifo', [file])],
  ['a directory', (): void => fs.mkdirSync(file)],
  ['a link', (): void => fs.symlinkSync('/etc/hostname', file)],
])('%s in the place of a transcript', (_, put) => {
  it('is damage to whoever reads it, and holds up nobody else', async () => {
    put();
    const reads = await Promise.allSettled(Array.from({ length: READS }, () => store.history({ key: KEY, limit: 10 })));
    for (const read of reads) expect(read).toMatchObject({ status: 'rejected', reason: { reason: 'DAMAGED', message: expect.stringContaining('s-1.jsonl is not a regular file') as string } });
    await expect(store.files.readTranscript('s-1.jsonl', () => Promise.resolve())).rejects.toMatchObject({ reason: 'DAMAGED' });
    await store.mutate({ decide: () => ({ effects: [{ kind: 'putEntry', key: KEY, set: { label: 'still served' } }], result: null }) });
    expect((await store.entry({ key: KEY }))?.text).toContain('still served');
  }, TIMEOUT_MS);
});

/**
 * Verify and repair beside an owner and after one that died. In the process of the owner, closing a
 * descriptor would free that process's locks.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeLayout } from '../files/layout';
import { openStore } from '../open-store';
import { generateStore } from '../testing/store-generator';
import { repairStore } from './repair-store';
import { verifyStore } from './verify-store';

let top: string;
beforeEach(() => (top = mkdtempSync(join(tmpdir(), 'verify-held-'))));
afterEach(() => rmSync(top, { recursive: true }));

/** What SQLite answers another process that wants the file for itself. */
function takenBy(file: string, statement: string): string {
  const script = `
    const db = new (require(${JSON.stringify(require.resolve('better-sqlite3'))}))(${JSON.stringify(file)}, { timeout: 0 });
    try { db.exec(${JSON.stringify(statement)}); console.log('taken'); } catch (error) { console.log(error.code); }
    process.kill(process.pid, 'SIGKILL');`;
  return spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' }).stdout.trim();
}

describe('a store that this process holds', () => {
  it('is still held after a verify, and after a repair that was refused', async () => {
    const { sessionsFile } = generateStore({ stateDir: top, entries: 5, transcripts: { messages: 4, textLength: 20 } });
    const options = { agentId: 'main', sessionsFile, instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() } } as const;
    const layout = storeLayout('main', sessionsFile);
    const store = await openStore(options);
    try {
      await store.checkpoint();
      expect(await verifyStore('main', sessionsFile, { nowMs: () => Date.now(), live: true })).toMatchObject({ ok: true });
      await expect(repairStore(options)).rejects.toMatchObject({ reason: 'SESSION_LOCKED' });
      expect(takenBy(layout.ownerLockFile, 'BEGIN EXCLUSIVE')).toBe('SQLITE_BUSY');
      // The last one to leave a database in WAL mode removes its WAL; nobody else may think to be that.
      expect(takenBy(layout.indexFile, 'PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')).toBe('SQLITE_BUSY');
    } finally {
      await store.close();
    }
    expect(takenBy(layout.ownerLockFile, 'BEGIN EXCLUSIVE')).toBe('taken');
  });
});

describe('a store whose owner died', () => {
  it('counts a tail that the opening cut as repaired, with its bytes kept', async () => {
    const options = { agentId: 'main', instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() }, checkpointDelayMs: 3_600_000 } as const;
    const store = await openStore({ ...options, sessionsFile: join(top, 'living', 'sessions.json') });
    const lines = ['{"type":"session","version":3,"id":"s-1","timestamp":"2026-06-01T09:00:00.000Z","cwd":"/w"}', '{"type":"message","id":"a","parentId":null,"message":{"role":"user","content":"one"}}'];
    await store.mutate({
      decide: () => ({
        effects: [
          { kind: 'append', file: 's-1.jsonl', lines, messages: 1, exchanges: 1, leafId: 'a' },
          { kind: 'putEntry', key: 'agent:main:main', set: { sessionId: 's-1', updatedAt: 1 } },
        ],
        result: null,
      }),
    });
    await store.list({ limit: 1 });
    // The directory as a process that dies now leaves it.
    const dir = join(top, 'dead');
    cpSync(join(top, 'living'), dir, { recursive: true });
    await store.close();
    const transcript = join(dir, 's-1.jsonl');
    writeFileSync(transcript, `${lines.join('\n')}\n{"half`);
    const { before, done, after } = await repairStore({ ...options, sessionsFile: join(dir, 'sessions.json') });
    expect(before.findings).toContainEqual(expect.objectContaining({ kind: 'torn-tail', file: 's-1.jsonl' }));
    expect(done).toContainEqual(expect.objectContaining({ do: 'cut-torn-tail', file: 's-1.jsonl' }));
    expect(after).toMatchObject({ ok: true, totals: { lines: 2 } });
    expect(readFileSync(transcript, 'utf8')).toBe(`${lines.join('\n')}\n`);
    const quarantine = join(dir, '.store', 'quarantine');
    expect(readdirSync(quarantine).map((name) => readFileSync(join(quarantine, name), 'utf8'))).toEqual(['{"half']);
  });
});

/** Verify inside the process that owns the store: closing a descriptor would free that process's locks. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
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

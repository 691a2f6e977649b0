import Database from 'better-sqlite3';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { SessionError } from '@sessions/domain';
import type { AgentStore } from './agent-store';
import { openStore } from './open-store';
import { PAGE_BYTES } from './session-index/schema';

const ENTRIES = 2000;

describe('an index that was damaged while nobody closed it in order', () => {
  let root: string;
  beforeEach(() => {
    root = fs.mkdtempSync(path.join(tmpdir(), 'check-index-'));
  });
  afterEach(() => fs.rmSync(root, { recursive: true }));

  const open = (dir: string, onFailure?: (error: SessionError) => void): Promise<AgentStore> =>
    openStore({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => 1000 }, ...(onFailure === undefined ? {} : { onFailure }) });

  it('is set aside and made again with everything in it', async () => {
    const first = path.join(root, 'first');
    const left = path.join(root, 'left');
    const store = await open(first);
    const put = (n: number): Promise<unknown> =>
      store.mutate({ decide: () => ({ effects: [{ kind: 'putEntry', key: `agent:main:k${String(n)}`, set: { sessionId: `s${String(n)}`, updatedAt: n, subject: 'x'.repeat(300) } }], result: null }) });
    await Promise.all(Array.from({ length: ENTRIES }, (_, n) => put(n)));
    await store.list({ limit: 1 });
    await store.checkpoint();
    await store.close();
    fs.cpSync(first, left, { recursive: true });
    const indexFile = path.join(left, '.store', 'index.sqlite');
    const db = new Database(indexFile);
    db.exec("UPDATE meta SET value = '' WHERE name = 'closed_seq'");
    db.close();
    fs.truncateSync(indexFile, Math.floor(fs.statSync(indexFile).size / 2 / PAGE_BYTES) * PAGE_BYTES);

    let failure: SessionError | undefined;
    const damaged = await open(left, (error) => {
      failure = error;
    });
    // Where the opening itself meets the damage it is set aside at once; else the check finds it.
    while (failure === undefined && !fs.existsSync(`${indexFile}.corrupt`)) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(failure?.reason ?? 'DAMAGED').toBe('DAMAGED');
    await damaged.close().catch(() => undefined);
    expect(fs.existsSync(`${indexFile}.corrupt`)).toBe(true);
    const again = await open(left);
    expect((await again.list({ limit: 1 })).totalCount).toBe(ENTRIES);
    await again.close();
  });
});

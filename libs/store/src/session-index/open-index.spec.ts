import Database from 'better-sqlite3';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { AgentStore } from '../agent-store';
import { rowProtections } from '@sessions/domain';
import { openStoreReader } from '../offline/store-reader';
import { openStore } from '../open-store';
import { repairStore } from '../verify/repair-store';
import type { StoreNotice } from './worker-protocol';

describe('a session index that is made again', () => {
  let dir: string;
  let indexFile: string;

  beforeEach(() => {
    dir = fs.mkdtempSync(path.join(tmpdir(), 'open-index-'));
    indexFile = path.join(dir, '.store', 'index.sqlite');
  });
  afterEach(() => fs.rmSync(dir, { recursive: true }));

  const open = (): Promise<AgentStore> =>
    openStore({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => 1000 } });

  async function fill(store: AgentStore, count: number): Promise<void> {
    const put = (n: number): Promise<unknown> =>
      store.mutate({ decide: () => ({ effects: [{ kind: 'putEntry', key: `agent:main:k${String(n)}`, set: { sessionId: `s${String(n)}`, updatedAt: n, label: 'x'.repeat(200) } }], result: null }) });
    await Promise.all(Array.from({ length: count }, (_, n) => put(n)));
  }

  it('is not spoilt by the rollback journal that the one before it left behind', async () => {
    const first = await open();
    await fill(first, 400);
    await first.close();
    const journal = hotJournalOf(indexFile);
    fs.rmSync(indexFile);
    fs.writeFileSync(`${indexFile}-journal`, journal);
    const second = await open();
    await fill(second, 500);
    await second.close();
    const db = new Database(indexFile, { readonly: true });
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(db.prepare('SELECT count(*) FROM session WHERE row IS NOT NULL').pluck().get()).toBe(500);
    db.close();
  });

  it('knows the first answers and their sequences, and writes none of them down twice', async () => {
    const once = { idempotencyKey: 'k-1', decide: () => ({ effects: [{ kind: 'putEntry' as const, key: 'agent:main:a', set: { sessionId: 'a', updatedAt: 1 } }], result: { n: 1 } }) };
    const first = await open();
    await fill(first, 3);
    const { seq } = await first.mutate(once);
    await first.close();
    const [name] = fs.readdirSync(path.join(dir, '.store')).filter((file) => file.startsWith('results-'));
    const lines = fs.readFileSync(path.join(dir, '.store', String(name)), 'utf8');
    fs.rmSync(indexFile);
    const second = await open();
    expect(await second.mutate(once)).toMatchObject({ seq, repeated: true, result: { n: 1 } });
    await fill(second, 1);
    await second.close();
    expect(fs.readFileSync(path.join(dir, '.store', String(name)), 'utf8')).toBe(lines);
  });

  it('takes the place of one of an earlier format, which lacks some of its tables', async () => {
    const first = await open();
    await fill(first, 3);
    await first.close();
    const db = new Database(indexFile);
    db.exec("UPDATE meta SET value = '1' WHERE name = 'format'; DROP TABLE usage; DROP TABLE text; DROP TABLE text_file; DROP TABLE text_line");
    db.close();
    const second = await open();
    expect((await second.list({ limit: 10 })).totalCount).toBe(3);
    expect((await second.info()).notices).toMatchObject([{ kind: 'rebuilt' }]);
    await second.close();
  });

  it('beside a sessions file that cannot be read stays partial however often it is opened, until the file is mended', async () => {
    const file = path.join(dir, 'sessions.json');
    const id = '11111111-1111-4111-8111-111111111111';
    fs.writeFileSync(path.join(dir, `${id}.jsonl`), `${JSON.stringify({ type: 'session', version: 3, id })}\n`);
    const whole = JSON.stringify({ 'agent:main:telegram:group:1': { sessionId: id, updatedAt: 1 } });
    fs.writeFileSync(file, whole.slice(0, -2));
    for (let time = 0; time < 3; time += 1) {
      const store = await open();
      await expect(fill(store, 1)).rejects.toMatchObject({ reason: 'STORE_UNREADABLE' });
      await store.close();
      expect(fs.readFileSync(file, 'utf8')).toBe(whole.slice(0, -2));
      // Nor are its guesses shown by whoever reads the files.
      await expect(openStoreReader({ agentId: 'main', sessionsFile: file })).rejects.toMatchObject({ reason: 'STORE_UNREADABLE' });
    }
    fs.writeFileSync(file, whole);
    const mended = await open();
    await fill(mended, 1);
    expect((await mended.list({ limit: 10 })).totalCount).toBe(2);
    expect(await mended.entry({ key: 'agent:main:telegram:group:1' })).toBeDefined();
    await mended.close();
  });

  it('keeps from every limit what a repair made of transcripts that name no key; those that do get it back', async () => {
    const file = path.join(dir, 'sessions.json');
    const [lost, known] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'];
    fs.writeFileSync(path.join(dir, `${lost}.jsonl`), `${JSON.stringify({ type: 'session', version: 3, id: lost })}\n`);
    fs.writeFileSync(path.join(dir, `${known}.jsonl`), `${JSON.stringify({ type: 'session', version: 3, id: known, sessionKey: 'agent:main:telegram:direct:1' })}\n`);
    for (const id of [lost, known]) fs.utimesSync(path.join(dir, `${id}.jsonl`), 1, 1);
    fs.writeFileSync(file, '{"agent:main:');
    const notices: StoreNotice[] = [];
    await repairStore({ agentId: 'main', sessionsFile: file, instance: 'test', transport: 'standalone', clock: { nowMs: Date.now }, writeLock: { acquireTimeoutMs: 1_000, staleMs: 60_000, maxHoldMs: 60_000 }, onNotice: (notice) => notices.push(notice) });
    expect(notices).toContainEqual(expect.objectContaining({ message: expect.stringContaining('no session key') as string, count: 1 }));
    const reader = await openStoreReader({ agentId: 'main', sessionsFile: file });
    const protections = [...reader.factRows()].map((row) => [row.key, rowProtections(row.key, row, { nowMs: Date.now(), isHeld: false, named: [] })]);
    reader.close();
    expect(Object.fromEntries(protections)).toEqual({ [`agent:main:explicit:${lost}`]: ['pointer'], 'agent:main:telegram:direct:1': [] });
  });

  it('answers with rows before they are made, and finds them all by a search', async () => {
    const entries = Array.from({ length: 500 }, (_, n) => [`agent:main:k${String(n)}`, { sessionId: `s${String(n)}`, updatedAt: n }]);
    fs.writeFileSync(path.join(dir, 'sessions.json'), JSON.stringify(Object.fromEntries(entries), null, 2));
    const store = await open();
    const { encodedRows, totalCount } = await store.list({ limit: 500 });
    expect(totalCount).toBe(500);
    expect(encodedRows.every((row) => row.length > 0)).toBe(true);
    expect((await store.list({ limit: 1, search: 'AGENT:MAIN:K' })).totalCount).toBe(500);
    await store.close();
  });
});

/** The journal of a transaction that has begun to change the file: what a killed process leaves. */
function hotJournalOf(indexFile: string): Buffer {
  const copy = `${indexFile}.copy`;
  fs.copyFileSync(indexFile, copy);
  const db = new Database(copy);
  try {
    db.pragma('journal_mode = DELETE');
    db.pragma('synchronous = OFF');
    db.pragma('cache_size = 2');
    db.exec("BEGIN; UPDATE session SET label = 'changed', search = 'changed'; UPDATE entry SET json = x'7b7d'");
    const journal = fs.readFileSync(`${copy}-journal`);
    db.exec('ROLLBACK');
    expect(journal.length).toBeGreaterThan(100_000);
    return journal;
  } finally {
    db.close();
    fs.rmSync(copy);
  }
}

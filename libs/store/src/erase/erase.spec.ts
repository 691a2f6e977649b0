/** One session, or one person, taken out of a real store: every byte of it is looked at afterwards. */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import Database from 'better-sqlite3';
import { personOf, type EraseSubject, type JsonObject } from '@sessions/domain';
import type { AgentStore } from '../agent-store';
import { eraseInStore, openStore, type OpenStoreOptions } from '../open-store';
import type { SearchTextsRequest } from '../session-index/worker-protocol';
import type { Effect, MutationView } from '../types';
import { previewErasure, type EraseReport } from './erase-in-store';

const ANN = 'agent:main:telegram:direct:700700700';
const BEN = 'agent:main:telegram:direct:800800800';
const CREW = 'agent:main:telegram:group:crew-4711';
const CHILD = `agent:main:subagent:${randomUUID()}`;
const SECRET = 'the plan that nobody but Ann may ever read again, word for word';

let dir: string;
let nowMs: number;
let ids: Record<string, string>;

beforeEach(() => {
  dir = fs.mkdtempSync(path.join(tmpdir(), 'erase-'));
  nowMs = Date.UTC(2026, 5, 1, 9);
  ids = { [ANN]: randomUUID(), [BEN]: randomUUID(), [CREW]: randomUUID(), [CHILD]: randomUUID() };
});
afterEach(() => fs.rmSync(dir, { recursive: true }));

const options = (): OpenStoreOptions => ({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => nowMs }, checkpointDelayMs: 20 });
const erase = (subject: EraseSubject): Promise<EraseReport> => eraseInStore(options(), subject);
async function preview(subject: EraseSubject): Promise<EraseReport> {
  const store = await openStore(options());
  try {
    return await previewErasure(store, { subject });
  } finally {
    await store.close();
  }
}

const session = (key: string): EraseSubject => ({ kind: 'session', key });

function say(store: AgentStore, key: string, text: string, members: JsonObject = {}): Promise<unknown> {
  const id = ids[key] ?? '';
  const file = `${id}.jsonl`;
  return store.mutate({
    idempotencyKey: `${key}/${text.slice(0, 20)}`,
    decide: (view: MutationView) => {
      const tail = view.transcript(file);
      const lineId = randomUUID().slice(0, 8);
      const line = JSON.stringify({ type: 'message', id: lineId, parentId: tail.leafId, message: { role: 'user', content: [{ type: 'text', text }] } });
      const lines = tail.kind === 'none' ? [JSON.stringify({ type: 'session', version: 3, id, sessionKey: key }), line] : [line];
      const effects: Effect[] = [
        { kind: 'putEntry', key, set: { sessionId: id, updatedAt: nowMs, ...(members as Record<string, string>) } },
        { kind: 'append', file, lines, messages: 1, exchanges: 1, leafId: lineId },
      ];
      return { effects, result: { sessionKey: key, sessionId: id } };
    },
  });
}

async function setAside(store: AgentStore, key: string, kind: 'reset' | 'deleted'): Promise<string> {
  const file = `${ids[key] ?? ''}.jsonl`;
  return store.withHeld([{ file, kind }], async (held) => {
    const archive = held.get(file).asideAs;
    await store.mutate({
      held,
      decide: (view) => ({
        effects: [
          { kind: 'setAside', file },
          { kind: 'recordArchive', reason: 'reset', key, sessionId: ids[key] ?? '', entryText: view.entry(key)?.text ?? '{}', actor: 'test' },
          ...(kind === 'deleted' ? [{ kind: 'removeEntry', key } as const] : []),
        ],
        result: null,
      }),
    });
    return archive;
  });
}

/** Everybody speaks; others mention Ann's session; everything that can be left behind is there. */
async function livedIn(): Promise<void> {
  const store = await openStore(options());
  await say(store, ANN, SECRET, { origin: { label: 'Ann id:700700700', from: 'telegram:700700700' }, lastTo: '700700700' });
  await say(store, BEN, `have you heard from ${ANN} today, who is in ${ids[ANN] ?? ''}?`, { forkedFrom: ids[ANN] ?? '', related: [ANN, BEN] });
  await say(store, CREW, 'a crew of many', { origin: { label: 'Crew', from: 'telegram:700700700' }, lastTo: 'crew-4711' });
  await say(store, CHILD, `${SECRET}, and what became of it`, { spawnedBy: ANN });
  const usage = { at: 1_780_000_000_000, runId: 'r-1', provider: 'openai', model: 'gpt-5', input: 100, output: 10, cacheRead: 5, cacheWrite: 1, costUsd: 0.25 };
  await store.mutate({ decide: () => ({ effects: [{ kind: 'recordUsage', line: { ...usage, key: ANN, sessionId: ids[ANN] ?? '' } }, { kind: 'recordUsage', line: { ...usage, key: BEN, sessionId: ids[BEN] ?? '' } }], result: null }) });
  await setAside(store, ANN, 'reset');
  const old = ids[ANN] ?? '';
  ids[ANN] = randomUUID();
  await say(store, ANN, 'a second conversation that Ann has had with us, long enough to be known', { previousSessionId: old, usageFamilySessionIds: [old, ids[ANN]] });
  await store.close();
  const leave = (file: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
    fs.writeFileSync(path.join(dir, file), text);
  };
  const now = ids[ANN];
  leave(`${now}.trajectory.jsonl`, `{"traceSchema":"openclaw-trajectory","text":"${SECRET}"}\n`);
  leave(`${old}.checkpoint.${randomUUID()}.jsonl`, `{"type":"session","id":"${old}"}\n`);
  leave(`sessions.json.bak.1700000000000`, JSON.stringify({ [ANN]: { sessionId: old } }));
  leave(`sessions.json.${randomUUID()}.tmp`, JSON.stringify({ [ANN]: { sessionId: old } }));
  leave(`.store/quarantine/${old}.jsonl.torn-2026-06-01T09-00-00.000Z-aaaaaaaa`, `{"type":"message","content":"${SECRET}`);
  leave('.store/uploads/u1', SECRET);
  leave(`.store/runs/${'a'.repeat(64)}`, SECRET);
  leave('.store/index.sqlite.corrupt', `SQLite ${ANN}`);
  leave(`${old}.jsonl.deleted.2026-05-01T09-00-00.000Z`, `{"type":"message","message":{"content":"${SECRET}"}}\n`);
  leave('notes.txt', 'somebody else keeps notes here');
}

/** Every file of the directory that holds one of the words, by its content or its name. */
function filesWith(...words: readonly string[]): string[] {
  return fs.readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const full = path.join(dir, name);
    if (words.some((word) => name.includes(word))) return true;
    return fs.statSync(full).isFile() && words.some((word) => fs.readFileSync(full).includes(word));
  });
}

/** Words of which the index knows, also where no row has them any more. */
function indexedTokens(): string[] {
  const db = new Database(path.join(dir, '.store', 'index.sqlite'), { readonly: true });
  try {
    db.exec("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab (main, text, 'row')");
    return db.prepare('SELECT term FROM temp.vocabulary').pluck().all() as string[];
  } finally {
    db.close();
  }
}

const entries = (): JsonObject => JSON.parse(fs.readFileSync(path.join(dir, 'sessions.json'), 'utf8')) as JsonObject;

it('erases a session with its archives, sidecars and sub-agents from every place, and nobody else', async () => {
  await livedIn();
  const first = ids[ANN] ?? '';
  const words = [ANN, SECRET, first, CHILD, ids[CHILD] ?? ''];
  expect(filesWith(...words).length).toBeGreaterThan(10);
  const shown = await preview(session(ANN));
  expect(shown).toMatchObject({ found: true, receipt: undefined });
  expect([...shown.keys].sort()).toEqual([ANN, CHILD].sort());
  expect(filesWith(SECRET).length).toBeGreaterThan(5);

  const report = await erase(session(ANN));
  expect(report.left).toEqual([]);
  expect(report.copies).toEqual([]);
  expect(filesWith(...words)).toEqual([]);
  expect(report.keys).toEqual(shown.keys);
  expect(report.receipt).toMatchObject({ sessions: 2 });
  expect(report.receipt?.scannedFiles).toBeGreaterThan(5);
  expect(JSON.stringify(report.receipt)).not.toContain('700700700');
  expect(fs.readFileSync(path.join(dir, 'notes.txt'), 'utf8')).toBe('somebody else keeps notes here');
});

it('leaves the sessions of others whole: lines keep their number, length and order, entries only lose what names the subject', async () => {
  await livedIn();
  const ben = path.join(dir, `${ids[BEN] ?? ''}.jsonl`);
  const before = fs.readFileSync(ben);
  await erase(session(ANN));
  const after = fs.readFileSync(ben);
  expect(after.length).toBe(before.length);
  expect(after.toString().trimEnd().split('\n').map((line) => (JSON.parse(line) as JsonObject)['id'])).toEqual(before.toString().trimEnd().split('\n').map((line) => (JSON.parse(line) as JsonObject)['id']));
  expect(entries()[BEN]).toEqual({ sessionId: ids[BEN], updatedAt: nowMs, related: [BEN] });
  const store = await openStore(options());
  expect((await store.history({ key: BEN, limit: 10 }))?.totalMessages).toBe(1);
  expect(await store.entry({ key: ANN })).toBeUndefined();
  // What was used and paid for stays counted; whose it was is not told any more.
  expect((await store.usage({ view: 'sums', limit: 10 })).totals).toMatchObject({ input: 200, costUsd: 0.5 });
  expect(fs.readFileSync(path.join(dir, '.store', 'usage.jsonl'), 'utf8')).toContain('"key":"erased-erased-');
  const { seq } = (await store.mutate({ decide: () => ({ effects: [], result: null }) })) as { seq: number };
  expect(seq).toBeGreaterThan(5);
  await say(store, ANN, 'and a new beginning');
  await store.close();
  expect(filesWith(ANN).length).toBeGreaterThan(0);
});

it('keeps archives of others restorable when a name in them was overwritten', async () => {
  await livedIn();
  const store = await openStore(options());
  const archive = await setAside(store, BEN, 'deleted');
  await store.close();
  await erase(session(ANN));
  const { createHash } = await import('node:crypto');
  const manifest = fs.readFileSync(path.join(dir, '.store/archive-manifest.jsonl'), 'utf8');
  expect(manifest).toContain(createHash('sha256').update(fs.readFileSync(path.join(dir, archive))).digest('hex'));
  expect(manifest.trimEnd().split('\n')).toHaveLength(1);
});

it('erases a person: their direct sessions go, their name leaves the entries of groups, and these are told', async () => {
  await livedIn();
  const report = await erase(personOf('telegram:700700700', []));
  expect([...report.keys].sort()).toEqual([ANN, CHILD].sort());
  expect(report.sharedKeys).toEqual([CREW]);
  expect(report.left).toEqual([]);
  expect(filesWith('700700700', SECRET)).toEqual([]);
  expect(entries()[CREW]).toMatchObject({ origin: { label: 'Crew' } });
  expect(Object.keys(entries()).sort()).toEqual([BEN, CREW].sort());
});

it.each([session(ANN), personOf('telegram:700700700', [])])('erases the words of others that named the subject, also where their texts have been read (%j)', async (subject) => {
  await livedIn();
  const ask = (word: string): SearchTextsRequest => ({ terms: [{ words: [word], isPrefix: false }], limit: 10 });
  let store = await openStore(options());
  expect((await store.searchTexts(ask('heard'))).hits).toHaveLength(1);
  await store.close();
  expect(indexedTokens()).toContain('700700700');
  const report = await erase(subject);
  expect(report.left).toEqual([]);
  expect(indexedTokens()).not.toContain('700700700');
  store = await openStore(options());
  let found = await store.searchTexts(ask('heard'));
  for (; found.incomplete; found = await store.searchTexts(ask('heard'))) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(found.hits).toMatchObject([{ key: BEN }]);
  await store.close();
});

it('erases a person from the answers of others: in the index as in the ledger', async () => {
  await livedIn();
  let store = await openStore(options());
  await store.mutate({ idempotencyKey: `${CREW}/an answer`, keepResultMs: 86_400_000, decide: () => ({ effects: [], result: { sessionKey: CREW, from: 'telegram:700700700' } }) });
  await store.close();
  expect(filesWith('telegram:700700700')).toContain('.store/index.sqlite');
  const report = await erase(personOf('telegram:700700700', []));
  expect(report.left).toEqual([]);
  expect(filesWith('700700700', SECRET)).toEqual([]);
  store = await openStore(options());
  await store.close();
});

it('takes no file for a trajectory that was moved because a pointer says so', async () => {
  await livedIn();
  const outside = fs.mkdtempSync(path.join(tmpdir(), 'erase-outside-'));
  try {
    const other = path.join(outside, 'conversation-of-somebody.jsonl');
    fs.writeFileSync(other, `{"type":"session","version":3,"id":"${randomUUID()}"}\n`);
    fs.writeFileSync(path.join(dir, `${ids[ANN] ?? ''}.trajectory-path.json`), JSON.stringify({ traceSchema: 'openclaw-trajectory-pointer', schemaVersion: 1, sessionId: ids[ANN], runtimeFile: other }));
    await erase(session(ANN));
    expect(fs.existsSync(other)).toBe(true);
  } finally {
    fs.rmSync(outside, { recursive: true });
  }
});

it('overwrites the subject in trajectories of others that were moved', async () => {
  await livedIn();
  const outside = fs.mkdtempSync(path.join(tmpdir(), 'erase-outside-'));
  try {
    const moved = path.join(outside, `${ids[BEN] ?? ''}.jsonl`);
    fs.writeFileSync(moved, `{"traceSchema":"openclaw-trajectory","type":"tool.call","sessionId":"${ids[BEN] ?? ''}","data":{"to":"${ANN}"}}\n`);
    fs.writeFileSync(path.join(dir, `${ids[BEN] ?? ''}.trajectory-path.json`), JSON.stringify({ traceSchema: 'openclaw-trajectory-pointer', schemaVersion: 1, sessionId: ids[BEN], runtimeFile: moved }));
    await erase(session(ANN));
    expect(fs.readFileSync(moved, 'utf8')).not.toContain(ANN);
    expect(fs.readFileSync(moved, 'utf8')).toContain(ids[BEN]);
  } finally {
    fs.rmSync(outside, { recursive: true });
  }
});

it('keeps what another session went on from, though it was begun under the key of the subject', async () => {
  await livedIn();
  const copy = randomUUID();
  const words = 'what was imported under a key of its own, and told before a summary';
  fs.writeFileSync(path.join(dir, `${copy}.jsonl`), `${JSON.stringify({ type: 'session', version: 3, id: ids[ANN], sessionKey: ANN })}\n${JSON.stringify({ type: 'message', id: 'a1', parentId: null, message: { role: 'user', content: words } })}\n`);
  const store = await openStore(options());
  await say(store, BEN, 'and so it goes on', { compactionCheckpoints: [{ checkpointId: 'c1', sessionId: ids[BEN] ?? '', preCompaction: { sessionId: copy, sessionFile: `${copy}.jsonl` }, postCompaction: { sessionId: ids[BEN] ?? '' } }] });
  await store.close();
  const report = await erase(session(ANN));
  expect(report.left).toEqual([]);
  expect(filesWith(words)).toEqual([`${copy}.jsonl`]);
  expect(filesWith(ANN, ids[ANN] ?? '')).toEqual([]);
});

it('erases what is left of a session whose entry has gone', async () => {
  await livedIn();
  let store = await openStore(options());
  await setAside(store, ANN, 'deleted');
  await store.close();
  const report = await erase(session(ANN));
  expect(report.found).toBe(true);
  expect(filesWith(ANN, SECRET)).toEqual([]);
  store = await openStore(options());
  expect((await store.files.archives({ limit: 10 })).archives).toEqual([]);
  await store.close();
});

describe('a session that went on from a transcript of another program', () => {
  const before = randomUUID();
  /** As the original writes it: its header names no key. */
  async function rotated(members: JsonObject): Promise<AgentStore> {
    await livedIn();
    fs.writeFileSync(path.join(dir, `${before}.jsonl`), `${JSON.stringify({ type: 'session', version: 3, id: before })}\n${JSON.stringify({ type: 'message', id: 'a1', parentId: null, message: { role: 'user', content: 'what was said before the summary, in many words' } })}\n`);
    const store = await openStore(options());
    await say(store, ANN, 'and so it goes on in a transcript of its own, after that', members);
    return store;
  }
  const checkpoints = (): JsonObject => ({ compactionCheckpoints: [{ checkpointId: 'c1', sessionId: ids[ANN] ?? '', preCompaction: { sessionId: before, sessionFile: `${before}.jsonl` }, postCompaction: { sessionId: ids[ANN] ?? '' } }] });

  it.each(['there', 'removed by a clean-up'])('leaves nothing of the one before, with its entry %s', async (state) => {
    const store = await rotated(checkpoints());
    if (state !== 'there') await setAside(store, ANN, 'deleted');
    await store.close();
    const report = await erase(session(ANN));
    expect(report).toMatchObject({ left: [], copies: [] });
    expect(filesWith(before, 'what was said before the summary')).toEqual([]);
  });
});

it('answers a repeat with the receipt, and a name that nobody has with nothing', async () => {
  await livedIn();
  const { receipt } = await erase(session(ANN));
  expect(await erase(session(ANN))).toMatchObject({ found: false, keys: [], receipt });
  expect(await erase(session('agent:main:telegram:direct:123123123'))).toMatchObject({ found: false, receipt: undefined });
});

it('names copies in other sessions, and keeps them', async () => {
  await livedIn();
  const store = await openStore(options());
  await say(store, BEN, SECRET);
  await store.close();
  const report = await erase(session(ANN));
  expect(report.copies).toEqual([`${ids[BEN] ?? ''}.jsonl`]);
  expect(report.left).toEqual([]);
  expect(report.receipt).toBeDefined();
  expect(filesWith(SECRET)).toEqual([`${ids[BEN] ?? ''}.jsonl`]);
});

it('says where the subject still stands in a file that nobody knows, and gives no receipt', async () => {
  await livedIn();
  fs.writeFileSync(path.join(dir, 'notes.txt'), `call ${ANN}`);
  const report = await erase(session(ANN));
  expect(report).toMatchObject({ left: ['notes.txt'], receipt: undefined });
  expect(fs.readFileSync(path.join(dir, 'notes.txt'), 'utf8')).toBe(`call ${ANN}`);
  fs.rmSync(path.join(dir, 'notes.txt'));
  const store = await openStore(options());
  expect(store.writable).toBe(true);
  await store.close();
});

it('changes not a byte of the sessions in a dry run', async () => {
  await livedIn();
  await preview(session(ANN));
  const tree = (): string[] => fs.readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => !name.includes('.store') && fs.statSync(path.join(dir, name)).isFile()).map((name) => `${name} ${fs.readFileSync(path.join(dir, name), 'base64')}`).sort();
  const before = tree();
  await preview(session(ANN));
  expect(tree()).toEqual(before);
});

it('takes a key for no part of a longer one: neighbours keep names, archives, answers and usage', async () => {
  const neighbours = [`${ANN}1`, `${ANN}:thread:9`];
  for (const key of neighbours) ids[key] = randomUUID();
  await livedIn();
  const store = await openStore(options());
  const usage = { at: 1_780_000_000_000, runId: 'r-2', provider: 'openai', model: 'gpt-5', input: 1, output: 1, cacheRead: 0, cacheWrite: 0, costUsd: 0 };
  for (const key of neighbours) {
    await say(store, key, `said under ${key}, and not under ${ANN}.`, { related: [key] });
    await store.mutate({ decide: () => ({ effects: [{ kind: 'recordUsage', line: { ...usage, key, sessionId: ids[key] ?? '' } }], result: null }) });
    await setAside(store, key, 'reset');
  }
  await store.close();
  // The journal has nothing that does not stand elsewhere, and leaves.
  const named = (key: string): string[] => filesWith(`"${key}"`, `${key},`).filter((file) => !file.includes('journal'));
  const before = neighbours.map(named);
  expect(await erase(session(ANN))).toMatchObject({ left: [] });
  expect(neighbours.map(named)).toEqual(before);
  for (const key of neighbours) expect(entries()[key]).toMatchObject({ related: [key] });
  // The session itself has left even the sentence that names both.
  expect(filesWith(`${ANN}.`, `"${ANN}"`)).toEqual([]);
});

it('serves no store beside an order that is none, and says which file it is and what to do', async () => {
  await livedIn();
  for (const text of ['', '{"id":"x","subj', '[]', '{"id":"x","subject":{"kind":"session"},"seeds":{}}']) {
    fs.writeFileSync(path.join(dir, '.store', 'erasure.json'), text);
    await expect(openStore(options())).rejects.toMatchObject({ reason: 'STORE_UNREADABLE', message: expect.stringContaining('erasure.json') as string, hint: expect.stringContaining('sessions erase') as string });
  }
});

it('takes no channel, status or chat type for a person of that name', async () => {
  const store = await openStore(options());
  await say(store, BEN, 'hello', { status: 'done', chatType: 'direct', lastChannel: 'telegram', origin: { provider: 'telegram', from: 'telegram:800800800' } });
  await store.close();
  const before = entries();
  for (const word of ['done', 'direct', 'telegram']) expect(await erase(personOf(word, []))).toMatchObject({ found: false, sharedKeys: [] });
  expect(entries()).toEqual(before);
});

it('leaves one who has the same id on another channel whole: entry, address of an answer that waits, answers of the ledger', async () => {
  await livedIn();
  const namesake = 'agent:main:discord:direct:700700700';
  ids[namesake] = randomUUID();
  let store = await openStore(options());
  await say(store, namesake, 'mine alone', { lastChannel: 'discord', lastTo: '700700700', origin: { surface: 'discord', from: 'discord:700700700' }, openDeliveries: [{ channel: 'discord', message: { route: { channel: 'discord', to: '700700700' } } }] });
  await store.mutate({ idempotencyKey: 'discord/default/700700700/m1', keepResultMs: 86_400_000, decide: () => ({ effects: [], result: { channel: 'discord', to: '700700700' } }) });
  await store.close();
  const before = entries()[namesake];
  const answers = (): string[] => fs.readdirSync(path.join(dir, '.store')).filter((name) => name.startsWith('results-')).flatMap((name) => fs.readFileSync(path.join(dir, '.store', name), 'utf8').split('\n')).filter((line) => line.includes('discord/default/700700700/m1'));
  const kept = answers();
  expect(kept).toHaveLength(1);
  const report = await erase(personOf('telegram:700700700', []));
  expect(report.keys).not.toContain(namesake);
  expect(entries()[namesake]).toEqual(before);
  expect(report.sharedKeys).not.toContain(namesake);
  expect(entries()[namesake]).toEqual(before);
  expect(answers()).toEqual(kept);
  store = await openStore(options());
  expect(await store.entry({ key: namesake })).toBeDefined();
  await store.close();
});

/** What was said is found as soon as it is acknowledged, and not any more once its transcript is an archive. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { parseSearchQuery } from '@sessions/domain';
import Database from 'better-sqlite3';
import type { AgentStore } from './agent-store';
import { openStore } from './open-store';
import type { SearchTextsReply, SearchTextsRequest } from './session-index/worker-protocol';
import type { Effect } from './types';

const T0 = Date.UTC(2026, 5, 1, 12);

let root: string;
let dir: string;
let store: AgentStore;
let nextId: number;

const open = (): Promise<AgentStore> =>
  openStore({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() }, checkpointDelayMs: 600_000 });

beforeEach(async () => {
  root = fs.mkdtempSync(path.join(tmpdir(), 'search-texts-'));
  dir = path.join(root, 'sessions');
  fs.mkdirSync(dir);
  nextId = 0;
  store = await open();
});
afterEach(async () => {
  await store.close().catch(() => undefined);
  fs.rmSync(root, { recursive: true, force: true });
});

interface Said {
  readonly role?: string;
  readonly content?: unknown;
  readonly atMs?: number;
  readonly entry?: Record<string, string>;
}

const keyOf = (sessionId: string): string => `agent:main:${sessionId}`;

/** Appends one message to a session, which begins with it where it is new. */
async function say(sessionId: string, text: string, { role = 'user', content = [{ type: 'text', text }], atMs = T0 + nextId * 1000, entry = {} }: Said = {}): Promise<string> {
  nextId += 1;
  const id = nextId.toString(16).padStart(8, '0');
  const file = `${sessionId}.jsonl`;
  await store.mutate({
    decide: (view) => {
      const tail = view.transcript(file);
      const header = JSON.stringify({ type: 'session', version: 3, id: sessionId, timestamp: new Date(T0).toISOString(), cwd: '/' });
      const line = JSON.stringify({ type: 'message', id, parentId: tail.leafId, timestamp: new Date(atMs).toISOString(), message: { role, content, timestamp: atMs } });
      const effects: Effect[] = [
        { kind: 'putEntry', key: keyOf(sessionId), set: { sessionId, updatedAt: atMs, ...entry } },
        { kind: 'append', file, lines: tail.kind === 'none' ? [header, line] : [line], messages: 1, exchanges: 1, leafId: id },
      ];
      return { effects, result: null };
    },
  });
  return id;
}

const search = (query: string, rest: Partial<SearchTextsRequest> = {}): Promise<SearchTextsReply> => store.searchTexts({ terms: parseSearchQuery(query), limit: 20, ...rest });
const found = async (query: string, rest: Partial<SearchTextsRequest> = {}): Promise<string[]> => (await search(query, rest)).hits.map(({ sessionId, messageSeq }) => `${sessionId}:${String(messageSeq)}`);
const setAside = (sessionId: string): Promise<unknown> =>
  store.withHeld([{ file: `${sessionId}.jsonl`, kind: 'reset' }], (held) =>
    store.mutate({
      held,
      decide: () => ({
        effects: [
          { kind: 'removeEntry', key: keyOf(sessionId) },
          { kind: 'setAside', file: `${sessionId}.jsonl` },
          { kind: 'recordArchive', reason: 'reset', key: keyOf(sessionId), sessionId, actor: 'test' },
        ],
        result: null,
      }),
    }),
  );

it('is found at once, newest first, with its place and its piece of text', async () => {
  await say('s1', 'Plan the release');
  const id = await say('s1', 'The RELEASE plan is ready.', { role: 'assistant' });
  await say('s2', 'something else');
  const { hits, incomplete } = await search('plan release');
  expect(incomplete).toBe(false);
  expect(hits[0]).toEqual({ id: expect.any(Number) as unknown, key: keyOf('s1'), sessionId: 's1', messageId: id, messageSeq: 2, role: 'assistant', atMs: T0 + 1000, snippet: 'The RELEASE plan is ready.', highlights: [{ start: 4, end: 11 }, { start: 12, end: 16 }] });
  expect(hits.map(({ messageSeq }) => messageSeq)).toEqual([2, 1]);
  expect(await found('"plan release"')).toEqual([]);
  expect(await found('rele*')).toEqual(['s1:2', 's1:1']);
});

it('is not taken for changed when its words stand apart from each other', async () => {
  await say('s1', 'Plan the release');
  await say('s1', 'the release plan');
  expect(await found('release')).toEqual(['s1:2', 's1:1']);
  const fileId = (): unknown => new Database(path.join(dir, '.store', 'index.sqlite'), { readonly: true }).prepare('SELECT id FROM text_file').pluck().all();
  const before = fileId();
  expect(await found('"release plan"')).toEqual(['s1:2']);
  expect(fileId()).toEqual(before);
});

it('is text of people and assistants: no tool results, tool calls, thoughts or names of members', async () => {
  await say('s1', 'hidden', { role: 'toolResult' });
  await say('s1', '', { role: 'assistant', content: [{ type: 'thinking', thinking: 'hidden' }, { type: 'toolCall', id: 'x', name: 'hidden', arguments: {} }, { type: 'text', text: 'shown' }] });
  await say('s1', '', { content: 'plain content' });
  expect(await found('hidden')).toEqual([]);
  expect(await found('message')).toEqual([]);
  expect(await found('shown')).toEqual(['s1:2']);
  expect(await found('plain')).toEqual(['s1:3']);
});

it('is looked for literally, whatever a query holds', async () => {
  await say('s1', 'a NOT b OR c, col:umn (x) "quoted" 100% it\'s');
  for (const query of ['NOT', '"', 'NOT b', 'col:umn', '(x', 'a"', "it's", '100%', "'; DROP TABLE text; --", '^a', 'a -b']) {
    const terms = (() => {
      try {
        return parseSearchQuery(query);
      } catch {
        return undefined;
      }
    })();
    if (terms === undefined) continue;
    expect(Array.isArray((await store.searchTexts({ terms, limit: 5 })).hits)).toBe(true);
  }
  expect(await found('not "b or c" column')).toEqual([]);
  expect(await found('not "b or c" umn')).toEqual(['s1:1']);
});

it('is not found any more when its transcript is set aside, and not by its session when only the entry is gone', async () => {
  await say('s1', 'needle one');
  await say('s2', 'needle two');
  expect(await found('needle')).toEqual(['s2:1', 's1:1']);
  await setAside('s1');
  expect(await found('needle')).toEqual(['s2:1']);
  await store.mutate({ decide: () => ({ effects: [{ kind: 'removeEntry', key: keyOf('s2') }], result: null }) });
  expect(await found('needle')).toEqual([]);
});

it('filters by channel and time, and goes on behind a page', async () => {
  for (let n = 0; n < 5; n += 1) await say('tg', `needle ${String(n)}`, { entry: { channel: 'telegram' } });
  await say('dc', 'needle elsewhere', { entry: { channel: 'discord' } });
  for (const channel of ['discord', 'Discord', ' DISCORD ']) expect(await found('needle', { channel })).toEqual(['dc:1']);
  expect(await found('needle', { sinceMs: T0 + 1000, untilMs: T0 + 3000 })).toEqual(['tg:3', 'tg:2']);
  const first = await search('needle', { channel: 'telegram', limit: 3 });
  const rest = await search('needle', { channel: 'telegram', limit: 3, beforeId: first.nextBeforeId ?? 0 });
  expect([...first.hits, ...rest.hits].map(({ messageSeq }) => messageSeq)).toEqual([5, 4, 3, 2, 1]);
  expect(rest.nextBeforeId).toBeUndefined();
});

it('finds many messages of one moment, each once', async () => {
  await store.mutate({
    decide: () => {
      const lines = Array.from({ length: 3000 }, (_, n) => JSON.stringify({ type: 'message', id: n.toString(16).padStart(8, '0'), parentId: null, timestamp: new Date(T0).toISOString(), message: { role: 'user', content: `needle ${String(n)}` } }));
      return { effects: [{ kind: 'putEntry', key: keyOf('many'), set: { sessionId: 'many', updatedAt: T0 } }, { kind: 'append', file: 'many.jsonl', lines, messages: 3000, exchanges: 3000, leafId: null }], result: null };
    },
  });
  // Long transcripts are read a slice at a time.
  for (let look = 0; look < 500 && (await search('needle')).incomplete; look += 1) await new Promise((resolve) => setTimeout(resolve, 20));
  const seen = new Set<number>();
  let beforeId: number | undefined;
  do {
    const page = await search('needle', { limit: 100, ...(beforeId === undefined ? {} : { beforeId }) });
    for (const { messageSeq } of page.hits) seen.add(messageSeq);
    beforeId = page.nextBeforeId;
  } while (beforeId !== undefined);
  expect(seen.size).toBe(3000);
});

it('is read again from the transcripts when the index is gone, foreign ones too', async () => {
  await say('s1', 'needle one');
  fs.writeFileSync(path.join(dir, 'simple.jsonl'), `${JSON.stringify({ role: 'user', content: 'needle by hand', timestamp: '2026-04-02T07:30:00Z' })}\n`);
  await store.mutate({ decide: () => ({ effects: [{ kind: 'putEntry', key: keyOf('simple'), set: { sessionId: 'simple', updatedAt: 1 } }], result: null }) });
  await store.close();
  for (const name of fs.readdirSync(path.join(dir, '.store'))) if (name.startsWith('index.sqlite')) fs.rmSync(path.join(dir, '.store', name));
  store = await open();
  let reply = await search('needle');
  for (let look = 0; reply.incomplete && look < 500; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    reply = await search('needle');
  }
  expect(reply.incomplete).toBe(false);
  expect(reply.hits.map(({ sessionId, messageId, atMs }) => ({ sessionId, messageId, atMs }))).toEqual([
    { sessionId: 's1', messageId: '00000001', atMs: T0 },
    { sessionId: 'simple', messageId: 'L1', atMs: Date.UTC(2026, 3, 2, 7, 30) },
  ]);
});

it('knows after a crash what was acknowledged before it', async () => {
  await say('s1', 'needle before');
  await search('needle');
  await say('s1', 'needle after');
  const copy = path.join(root, 'copy');
  fs.cpSync(dir, copy, { recursive: true });
  await store.close();
  dir = copy;
  store = await open();
  // A line of the journal may be on its way to its file; the answer says so.
  for (let look = 0; look < 500 && (await search('needle')).incomplete; look += 1) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await found('needle')).toEqual(['s1:2', 's1:1']);
});

it('reads what a process that died had counted and not read the words of', async () => {
  await say('s1', 'needle before');
  await search('needle');
  await store.close();
  const index = new Database(path.join(dir, '.store', 'index.sqlite'));
  index.prepare('DELETE FROM text_file').run();
  index.close();
  store = await open();
  expect(await found('needle')).toEqual(['s1:1']);
});

it('leaves out what somebody has changed in the file, and reads the file again', async () => {
  await say('s1', 'needle one');
  expect(await found('needle')).toEqual(['s1:1']);
  const file = path.join(dir, 's1.jsonl');
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('needle', 'thread'));
  expect(await found('needle')).toEqual([]);
  expect(await found('thread')).toEqual(['s1:1']);
});

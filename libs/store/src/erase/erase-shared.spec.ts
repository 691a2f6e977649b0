/** A person of a session that many share: what they said there stays, who said it does not. */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { escapedPart, personOf, type JsonObject, type JsonValue } from '@sessions/domain';
import type { AgentStore } from '../agent-store';
import { eraseInStore, openStore, type OpenStoreOptions } from '../open-store';
import { Needles } from './needles';

const MAIN = 'agent:main:main';
const ANN = '700700700';
let dir: string;
beforeEach(() => (dir = fs.mkdtempSync(path.join(tmpdir(), 'erase-shared-'))));
afterEach(() => fs.rmSync(dir, { recursive: true }));

const options = (): OpenStoreOptions => ({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => 1_780_000_000_000 }, checkpointDelayMs: 20 });
const read = (file: string): string => fs.readFileSync(path.join(dir, file), 'utf8');
const filesWith = (word: string): string[] => fs.readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => fs.statSync(path.join(dir, name)).isFile() && fs.readFileSync(path.join(dir, name)).includes(word));

/** Said by somebody, under the identity that the channel's message has. */
function say(store: AgentStore, sessionId: string, sender: string, message: string): Promise<unknown> {
  const file = `${sessionId}.jsonl`;
  const idempotencyKey = `telegram/default/${sender}/${message}`;
  return store.mutate({
    idempotencyKey,
    keepResultMs: 86_400_000,
    decide: (view) => {
      const tail = view.transcript(file);
      const id = randomUUID().slice(0, 8);
      const line = JSON.stringify({ type: 'message', id, parentId: tail.leafId, message: { role: 'user', content: [{ type: 'text', text: `what ${message} says` }], idempotencyKey } });
      const lines = tail.kind === 'none' ? [JSON.stringify({ type: 'session', version: 3, id: sessionId, sessionKey: MAIN }), line] : [line];
      const set = { sessionId, updatedAt: 1, origin: { label: `N id:${sender}`, from: `telegram:${sender}`, surface: 'telegram' }, lastChannel: 'telegram', lastTo: sender };
      return { effects: [{ kind: 'putEntry', key: MAIN, set }, { kind: 'append', file, lines, messages: 1, exchanges: 1, leafId: id }], result: { sessionKey: MAIN, messageId: id } };
    },
  });
}

/** As a clear does it: the transcript is an archive, and the manifest has the entry. */
async function setAside(store: AgentStore, sessionId: string): Promise<void> {
  const file = `${sessionId}.jsonl`;
  await store.withHeld([{ file, kind: 'reset' }], async (held) => {
    await store.mutate({
      held,
      decide: (view) => ({
        effects: [
          { kind: 'setAside', file },
          { kind: 'recordArchive', reason: 'clear', key: MAIN, sessionId, entryText: view.entry(MAIN)?.text ?? '{}', actor: 'test' },
        ],
        result: null,
      }),
    });
  });
}

it('leaves no identity of their messages, in transcripts, answers and index, and each line in its place', async () => {
  const session = randomUUID();
  let store = await openStore(options());
  for (const [sender, message] of [[ANN, 'a1'], ['800800800', 'b1'], [ANN, 'a2']] as const) await say(store, session, sender, message);
  await store.close();
  const before = read(`${session}.jsonl`);
  expect(filesWith(ANN).length).toBeGreaterThan(2);
  const report = await eraseInStore(options(), personOf(`telegram:${ANN}`, []));
  expect(report).toMatchObject({ sharedKeys: [MAIN], left: [] });
  expect(report.receipt).toBeDefined();
  expect(filesWith(ANN)).toEqual([]);
  expect(read(`${session}.jsonl`)).toBe(before.replaceAll(ANN, ' erased e'));
  store = await openStore(options());
  expect((await store.history({ key: MAIN, limit: 10 }))?.totalMessages).toBe(3);
  expect(await say(store, session, '800800800', 'b1')).toMatchObject({ result: { sessionKey: MAIN } });
  expect((await store.history({ key: MAIN, limit: 10 }))?.totalMessages).toBe(3);
  await store.close();
});

it('leaves no name in entries that archives of others come back with, whose other members stay as they stood', async () => {
  const session = randomUUID();
  let store = await openStore(options());
  await say(store, session, ANN, 'a1');
  await store.mutate({ decide: () => ({ effects: [{ kind: 'putEntry', key: MAIN, set: { label: 'ours' } }], result: null }) });
  await setAside(store, session);
  await say(store, randomUUID(), '800800800', 'b1');
  await store.close();
  expect(filesWith(`telegram:${ANN}`)).toContain('.store/archive-manifest.jsonl');
  const report = await eraseInStore(options(), personOf(`telegram:${ANN}`, []));
  expect(report).toMatchObject({ found: true, left: [] });
  expect(filesWith(ANN)).toEqual([]);
  const [line = '{}'] = read('.store/archive-manifest.jsonl').split('\n');
  expect((JSON.parse(line) as JsonObject)['entry']).toEqual({ sessionId: session, updatedAt: 1, origin: { surface: 'telegram' }, lastChannel: 'telegram', label: 'ours' });
  store = await openStore(options());
  await store.close();
  expect(await eraseInStore(options(), personOf(`telegram:${ANN}`, []))).toMatchObject({ found: false });
});

it.each([
  ['in an entry of others', (id: string) => ({ [MAIN]: { sessionId: randomUUID(), lastTo: id } })],
  ['in a list of one', (id: string) => ({ [MAIN]: { sessionId: randomUUID(), members: [{ id: 'b' }, { id }] } })],
  ['as telegram knows them', (id: string) => ({ [MAIN]: { sessionId: randomUUID(), origin: { from: `telegram:${id}` } } })],
  ['under a key that the store no longer has', (id: string) => ({ [`agent:main:telegram:direct:${id}`]: { sessionId: randomUUID() } })],
])('leaves no copy that names a person of a short bare id %s', async (_where, entries) => {
  const store = await openStore(options());
  await say(store, randomUUID(), '800800800', 'b1');
  await store.close();
  for (const [index, id] of ['7007', '70071'].entries()) {
    fs.writeFileSync(path.join(dir, `sessions.json.bak.170000000000${index}`), JSON.stringify(entries(id)));
    fs.writeFileSync(path.join(dir, `sessions.json.12.${index}ba7b810-9dad-41d1-80b4-00c04fd430c8.tmp`), JSON.stringify(entries(id), null, 2));
  }
  const before = fs.readdirSync(dir).filter((name) => /[.](?:bak[.]|\d+[.].*tmp$)/.test(name));
  expect(before).toHaveLength(4);
  expect(await eraseInStore(options(), personOf('7007', []))).toMatchObject({ found: true, left: [] });
  expect(before.filter((name) => fs.existsSync(path.join(dir, name)))).toEqual(before.filter((name) => /(?:01|[.]1ba7b810.*tmp)$/.test(name)));
});

it('takes the word that is left of a key without its agent for no name of a session', async () => {
  const store = await openStore(options());
  const other = 'agent:main:telegram:direct:9';
  const theirs: Readonly<Record<string, JsonValue>> = { sessionId: randomUUID(), updatedAt: 1, lastAccountId: 'main', origin: { accountId: 'main' } };
  await store.mutate({
    idempotencyKey: 'k',
    keepResultMs: 86_400_000,
    decide: () => ({ effects: [{ kind: 'putEntry', key: other, set: theirs }, { kind: 'putEntry', key: MAIN, set: { sessionId: randomUUID(), updatedAt: 1 } }], result: { agentId: 'main', sessionKey: other } }),
  });
  await store.close();
  expect(await eraseInStore(options(), { kind: 'session', key: MAIN })).toMatchObject({ found: true, left: [], keys: [MAIN] });
  const after = JSON.parse(read('sessions.json')) as Record<string, JsonObject>;
  expect(after).toMatchObject({ [other]: { lastAccountId: 'main', origin: { accountId: 'main' } } });
  const again = await openStore(options());
  expect(await again.mutate({ idempotencyKey: 'k', decide: () => ({ effects: [], result: 'anew' }) })).toMatchObject({ result: { agentId: 'main' } });
  await again.close();
});

it('leaves no copy of the sessions file that names the person in an entry of others', async () => {
  const store = await openStore(options());
  await say(store, randomUUID(), '800800800', 'b1');
  await store.close();
  const copy = (sender: string): string => JSON.stringify({ [MAIN]: { sessionId: randomUUID(), origin: { from: `telegram:${sender}` } } });
  fs.writeFileSync(path.join(dir, 'sessions.json.bak.1700000000000'), copy(ANN));
  fs.writeFileSync(path.join(dir, 'sessions.json.bak.1700000000001'), copy(`${ANN}1`));
  expect(await eraseInStore(options(), personOf(`telegram:${ANN}`, []))).toMatchObject({ found: true, left: [] });
  expect(fs.readdirSync(dir).filter((name) => name.includes('.bak.'))).toEqual(['sessions.json.bak.1700000000001']);
});

it.each([
  ['z', 'e', ['e']],
  ['telegram:e', 'z', ['z']],
  ['telegram:erased-', 'erased', ['erased']],
  ['b\\c', 'b', ['b']],
  ['"q"', 'q', ['q']],
  ['telegram:ünal', 'Ünal', ['ann']],
  ['ÄÖ', 'äö', ['ann']],
])('erases %s from what was said, and of %s leaves %j', async (who, second, left) => {
  const session = randomUUID();
  const store = await openStore(options());
  const first = who.replace('telegram:', '');
  for (const sender of new Set([first, second, ...left])) await say(store, session, escapedPart(sender), 'm');
  await store.close();
  expect(await eraseInStore(options(), personOf(who, []))).toMatchObject({ found: true, left: [] });
  const senders = read(`${session}.jsonl`).trimEnd().split('\n').slice(1).map((line) => (JSON.parse(line) as { message: { idempotencyKey: string } }).message.idempotencyKey.split('/')[2] ?? '');
  expect(senders.filter((sender) => !sender.startsWith(' '))).toEqual(left);
});

it.each([
  [[ANN], `"telegram/default/${ANN}/m1"`, true],
  [[ANN], `telegram/work-2/${ANN}/m1`, true],
  [[ANN], `"discord/default/${ANN}/m1"`, false],
  [[ANN], `"telegram/default/1${ANN}/m1"`, false],
  [[ANN], `"telegram/default/room/${ANN}"`, false],
  [[ANN], `see https://telegram/default/${ANN}/m1`, false],
  [['12'], `"telegram/default/12/m1"`, true],
  [['7'], `"telegram/default/7/m1"`, true],
  [['7'], `"telegram/default/17/m1"`, false],
  [[''], `"telegram/default//m1"`, false],
  [['ann@example.org'], `"telegram/default/Ann@Example.ORG/m1"`, true],
  [['ann@example.org'], `"telegram/default/Ann@Example.NET/m1"`, false],
  [['k'], `"telegram/default/K/m1"`, true],
  [['[1]'], `"telegram/default/{1}/m1"`, false],
  [['b\\c'], `"telegram/default/b\\\\c/m1"`, true],
  [['b\\c'], `{\\"id\\":\\"telegram/default/b\\\\\\\\c/m1\\"}`, true],
])('knows the sender %j in %s: %s', (ids, text, isThere) => {
  expect(new Needles([], [], [], [], ids.map((id) => ({ channel: 'telegram', id }))).isInText(text)).toBe(isThere);
});

/** Ids are any word: those of other programs' sessions are short, and people are called as much else is. */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { personOf, type EraseSubject, type JsonObject, type JsonValue } from '@sessions/domain';
import { eraseInStore, openStore, type OpenStoreOptions } from '../open-store';

const MAIN = 'agent:main:main';
const OTHER = 'agent:main:telegram:direct:9';
let dir: string;
beforeEach(() => (dir = fs.mkdtempSync(path.join(tmpdir(), 'erase-short-'))));
afterEach(() => fs.rmSync(dir, { recursive: true }));

const options = (): OpenStoreOptions => ({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => 1_780_000_000_000 }, checkpointDelayMs: 20 });
const entry = (key: string): JsonObject => (JSON.parse(fs.readFileSync(path.join(dir, 'sessions.json'), 'utf8')) as Record<string, JsonObject>)[key] ?? {};

const ANSWERS: Readonly<Record<string, JsonValue>> = {
  'turn:2f430a2e-21e7-4b87-869b-17bef70720de:1': { method: 'BeginTurn', key: OTHER, steered: [] },
  'telegram/default/9/42': { method: 'Deliver', sessionKey: OTHER, reset: 'daily', queued: false },
  'patch-1': { entry: { label: 'main', lastAccountId: 'main', lastThreadId: '42' } },
};

/** A session of another program, whose id is short, beside somebody else's and what was answered there. */
async function livedIn(): Promise<void> {
  const store = await openStore(options());
  const put = (key: string, set: Readonly<Record<string, JsonValue>>): Promise<unknown> => store.mutate({ decide: () => ({ effects: [{ kind: 'putEntry', key, set }], result: null }) });
  await put(MAIN, { sessionId: 'main', updatedAt: 1 });
  await put(OTHER, { sessionId: randomUUID(), updatedAt: 1, label: 'main', lastChannel: 'telegram', lastTo: '9', lastAccountId: 'main', lastThreadId: '42', forks: [{ parentSessionId: 'main' }] });
  for (const [idempotencyKey, result] of Object.entries(ANSWERS)) await store.mutate({ idempotencyKey, keepResultMs: 86_400_000, decide: () => ({ effects: [], result }) });
  await store.close();
  fs.mkdirSync(path.join(dir, '.store/quarantine'), { recursive: true });
  fs.writeFileSync(path.join(dir, '.store/quarantine/x.jsonl.torn-1'), `{"type":"message","id":"b1","message":{"role":"user","content":"half a li`);
}

async function expectAnswersKept(): Promise<void> {
  const store = await openStore(options());
  for (const [idempotencyKey, result] of Object.entries(ANSWERS)) expect(await store.mutate({ idempotencyKey, decide: () => ({ effects: [], result: 'anew' }) })).toMatchObject({ result });
  await store.close();
  expect(fs.existsSync(path.join(dir, '.store/quarantine/x.jsonl.torn-1'))).toBe(true);
}

it.each<EraseSubject>(['1', '42', 'telegram:42', 'method', 'type', 'daily', 'label', 'id', 'forks'].map((word) => personOf(word, [])))('finds nobody in the words, numbers and members of others: %j', async (person) => {
  await livedIn();
  const before = entry(OTHER);
  expect(await eraseInStore(options(), person)).toMatchObject({ found: false, sharedKeys: [] });
  expect(entry(OTHER)).toEqual(before);
  await expectAnswersKept();
});

it('takes a short id of a session for a word where no session is named', async () => {
  await livedIn();
  const before = entry(OTHER);
  expect(await eraseInStore(options(), { kind: 'session', key: MAIN })).toMatchObject({ found: true, left: [], keys: [MAIN] });
  expect(entry(OTHER)).toEqual({ ...before, forks: [{}] });
  await expectAnswersKept();
});

/** Keys and people whose names differ by the size of letters alone, in a real store. */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { personOf, type EraseSubject } from '@sessions/domain';
import { eraseInStore, openStore, type OpenStoreOptions } from '../open-store';
import type { Effect } from '../types';
import { previewErasure, type EraseReport } from './erase-in-store';

const ANN = 'agent:main:telegram:direct:700700700';

let dir: string;
let nowMs: number;
let ids: Record<string, string>;

beforeEach(() => {
  dir = fs.mkdtempSync(path.join(tmpdir(), 'erase-spelling-'));
  nowMs = Date.UTC(2026, 5, 1, 9);
  ids = {};
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

describe('ids in letters of other size', () => {
  const [CAPITAL, SMALL] = ['agent:main:matrix:direct:@Bob:example.org', 'agent:main:matrix:direct:@bob:example.org'];
  const stored = (): Record<string, unknown> => JSON.parse(fs.readFileSync(path.join(dir, 'sessions.json'), 'utf8')) as Record<string, unknown>;
  const people = async (...keys: string[]): Promise<void> => {
    const store = await openStore(options());
    for (const key of keys) {
      ids[key] = randomUUID();
      await store.mutate({ decide: () => ({ effects: sayings(key, ids[key] ?? ''), result: { sessionKey: key } }) });
    }
    await store.close();
  };

  it.each([personOf('@Bob:example.org', []), personOf('matrix:@Bob:example.org', []), session(CAPITAL)])('are another\'s where the named spelling stands as it is, over a repetition too (%j)', async (subject) => {
    await people(CAPITAL, SMALL);
    expect(await preview(subject)).toMatchObject({ found: true, keys: [CAPITAL], otherSpellings: [SMALL] });
    const { keys, left, receipt } = await erase(subject);
    expect([keys, left]).toEqual([[CAPITAL], []]);
    expect(Object.keys(stored())).toEqual([SMALL]);
    expect(JSON.stringify(stored())).toContain('matrix:@bob');
    expect(await preview(subject)).toMatchObject({ found: false, keys: [], otherSpellings: [SMALL] });
    expect((await erase(subject)).receipt?.id).toBe(receipt?.id);
    expect(Object.keys(stored())).toEqual([SMALL]);
  });

  it('stay in the index when the one in small letters goes', async () => {
    await people(CAPITAL, SMALL);
    const report = await erase(session(SMALL));
    expect([report.keys, report.left]).toEqual([[SMALL], []]);
    expect(report.receipt).toBeDefined();
    const store = await openStore(options());
    expect((await store.entry({ key: CAPITAL }))?.sessionId).toBe(ids[CAPITAL]);
    await store.close();
  });

  it('are the same person\'s where the named spelling does not stand: keys are written in small letters', async () => {
    await people(SMALL);
    expect(await preview(personOf('@BOB:example.org', []))).toMatchObject({ found: true, keys: [SMALL] });
    expect(await erase(personOf('@BOB:example.org', []))).toMatchObject({ keys: [SMALL], left: [] });
    expect(Object.keys(stored())).toEqual([]);
    expect((await erase(personOf('@bob:example.org', []))).receipt).toBeDefined();
  });

  it('are told by a person of the links, each account by its own spelling', async () => {
    await people(CAPITAL, SMALL, ANN);
    const links = [{ name: 'bob', peers: ['matrix:@Bob:example.org', 'telegram:700700700'] }];
    expect([...(await erase(personOf('Bob', links))).keys].sort()).toEqual([CAPITAL, ANN].sort());
    expect(Object.keys(stored())).toEqual([SMALL]);
  });

  it('are found again after an erasure that went by the links, when the person has written anew', async () => {
    const links = [{ name: 'bob', peers: ['matrix:@Bob:example.org', 'telegram:700700700'] }];
    await people(SMALL, ANN);
    expect([...(await erase(personOf('bob', links))).keys].sort()).toEqual([SMALL, ANN].sort());
    await people(SMALL);
    expect(await erase(personOf('bob', links))).toMatchObject({ keys: [SMALL], otherSpellings: [] });
    expect(Object.keys(stored())).toEqual([]);
  });
});

function sayings(key: string, id: string): Effect[] {
  const message = { role: 'user', content: [{ type: 'text', text: `said under ${key} and nowhere else` }] };
  const lines = [{ type: 'session', version: 3, id, sessionKey: key }, { type: 'message', id: 'aaaa0001', parentId: null, message }];
  return [
    { kind: 'putEntry', key, set: { sessionId: id, updatedAt: nowMs, origin: { from: key.replace('agent:main:', '').replace(':direct', '') } } },
    { kind: 'append', file: `${id}.jsonl`, lines: lines.map((line) => JSON.stringify(line)), messages: 1, exchanges: 1, leafId: 'aaaa0001' },
  ];
}

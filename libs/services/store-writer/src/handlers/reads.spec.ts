/** Lists and look-ups through the whole service. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { EntryFilter, HandOverRequest, ListEntriesRequest, PreviewRequest, RepairRequest, ResolveKeyRequest, SearchRequest, SessionRow, StoreInfoRequest } from '@sessions/contracts';
import { bench, cleanUpBenches, newStateDir, sessionsDir, telegram, type Bench } from '../testing/writer-bench';

cleanUpBenches();

describe('reads', () => {
  const list = (members: Partial<ListEntriesRequest> = {}): ListEntriesRequest => ListEntriesRequest.create({ agentId: 'main', ...members });
  const keysOf = (rows: readonly Uint8Array[]): string[] => rows.map((row) => SessionRow.decode(row).key);

  async function filled(): Promise<Bench> {
    const made = await bench();
    for (const peer of ['1', '2', '3', '4', '5']) {
      await made.client.deliver(telegram(`[Wed 2026-03-11 23:51 PDT] Question ${peer}`, { key: `agent:main:telegram:direct:${peer}` }));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return made;
  }

  it('list rows newest first, in pages', async () => {
    const made = await filled();
    const first = await made.client.listEntries(list({ limit: 2 }));
    expect(keysOf(first.encodedRows)).toEqual(['agent:main:telegram:direct:5', 'agent:main:telegram:direct:4']);
    expect(first).toMatchObject({ totalCount: 5, hasMore: true, nextOffset: 2, path: path.join(sessionsDir(made.stateDir), 'sessions.json') });
    const last = await made.client.listEntries(list({ limit: 2, offset: 4 }));
    expect(keysOf(last.encodedRows)).toEqual(['agent:main:telegram:direct:1']);
    expect(last).toMatchObject({ hasMore: false, nextOffset: undefined });
    expect(await made.client.listEntries(list({ countOnly: true }))).toMatchObject({ encodedRows: [], totalCount: 5, hasMore: false });
  });

  it.each([
    ['keys', { keys: ['agent:main:telegram:dm:2', 'agent:main:nobody'] }, ['agent:main:telegram:direct:2']],
    ['a prefix', { keyPrefix: 'agent:main:telegram:direct:4' }, ['agent:main:telegram:direct:4']],
    ['a kind that no row has', { kinds: ['cron'] }, []],
    ['a text', { search: 'DIRECT:3' }, ['agent:main:telegram:direct:3']],
    ['the time of the last change', { activeWithinMs: 60_000, keyPrefix: 'agent:main:telegram:direct:1' }, ['agent:main:telegram:direct:1']],
  ])('filter by %s', async (_, filter, keys) => {
    const made = await filled();
    const answer = await made.client.listEntries(list({ filter: EntryFilter.create(filter) }));
    expect(keysOf(answer.encodedRows)).toEqual(keys);
    expect(answer.totalCount).toBe(keys.length);
  });

  it('give titles and last messages where they are asked for, without injected times', async () => {
    const made = await filled();
    await made.client.deliver(telegram('and more', { key: 'agent:main:telegram:direct:5' }));
    await made.client.handOver(HandOverRequest.create({ agentId: 'main' }));
    await made.pool.claimStore({ agentId: 'main' });
    const answer = await made.client.listEntries(list({ limit: 1, includeDerivedTitles: true, includeLastMessage: true, full: true }));
    expect(SessionRow.decode(answer.encodedRows[0] ?? Buffer.alloc(0))).toMatchObject({ derivedTitle: 'Question 5', lastMessagePreview: 'and more' });
    expect(JSON.parse(answer.entriesJson[0]?.toString('utf8') ?? '')).toMatchObject({ lastChannel: 'telegram' });
  });

  it('preview the newest texts of each key, known or not', async () => {
    const made = await filled();
    const { previews } = await made.client.preview(PreviewRequest.create({ agentId: 'main', keys: ['agent:main:telegram:dm:1', 'agent:main:none'] }));
    expect(previews).toEqual([
      { key: 'agent:main:telegram:dm:1', status: 'ok', items: [{ role: 'user', text: 'Question 1' }] },
      { key: 'agent:main:none', status: 'missing', items: [] },
    ]);
  });

  it('resolve keys in any spelling, session ids and labels', async () => {
    const made = await filled();
    const resolve = (by: ResolveKeyRequest['by']) => made.client.resolveKey(ResolveKeyRequest.create({ agentId: 'main', by }));
    const byKey = await resolve({ $case: 'key', value: 'agent:main:telegram:dm:3' });
    expect(byKey.keys).toEqual(['agent:main:telegram:direct:3']);
    expect((await resolve({ $case: 'sessionId', value: byKey.sessionId ?? '' })).keys).toEqual(byKey.keys);
    expect((await resolve({ $case: 'label', value: 'none' })).keys).toEqual([]);
  });

  it('search names page by page, and texts as soon as they are acknowledged', async () => {
    const made = await filled();
    const first = await made.client.search(SearchRequest.create({ agentId: 'main', query: 'telegram', limit: 3 }));
    const second = await made.client.search(SearchRequest.create({ agentId: 'main', query: 'telegram', limit: 3, cursor: first.nextCursor }));
    expect([...first.hits, ...second.hits].map((hit) => hit.key)).toHaveLength(5);
    expect(second.nextCursor).toBeUndefined();
    for (const place of ['meta', 'text']) {
      const ask = (more: object) => made.client.search(SearchRequest.create({ agentId: 'main', query: place === 'meta' ? 'telegram' : 'question', in: place, ...more }));
      const { hits } = await ask({ limit: 10 });
      // Behind each hit its own cursor goes on with the next.
      for (const [at, { cursor }] of hits.entries()) expect((await ask({ limit: 1, cursor })).hits).toEqual(hits.slice(at + 1, at + 2));
      expect(hits.length).toBeGreaterThan(1);
    }
    const key = 'agent:main:telegram:direct:3';
    await made.client.deliver(telegram('the needle, at last', { key }));
    const texts = await made.client.search(SearchRequest.create({ agentId: 'main', query: 'NEEDLE', in: 'text' }));
    expect(texts).toMatchObject({ incomplete: false, nextCursor: undefined, hits: [{ key, role: 'user', messageSeq: 2, snippet: 'the needle, at last', highlights: [{ start: 4, end: 10 }] }] });
    expect((await made.client.search(SearchRequest.create({ agentId: 'main', query: 'needle', in: 'text', channel: 'discord' }))).hits).toEqual([]);
    expect((await made.client.search(SearchRequest.create({ agentId: 'main', query: 'telegram', channel: 'telegram', untilAtMs: 1 }))).hits).toEqual([]);
    expect((await made.client.search(SearchRequest.create({ agentId: 'main', query: 'telegram', channel: 'Telegram', sinceAtMs: 1 }))).hits).toHaveLength(5);
  });

  it.each([
    ['', 'query must have'],
    ['x'.repeat(10_240), 'query must have'],
    ['\u0000"*()', 'a letter or a digit'],
  ])('refuse a query that says nothing (%#), without repeating it', async (query, why) => {
    const made = await filled();
    await expect(made.client.search(SearchRequest.create({ agentId: 'main', query, in: 'text' }))).rejects.toMatchObject({ reason: 'VALIDATION', message: expect.stringContaining(why) as string });
    await expect(made.client.search(SearchRequest.create({ agentId: 'main', query: 'x', in: 'text', cursor: 'o1' }))).rejects.toMatchObject({ reason: 'VALIDATION' });
  });

  it('tell what a store holds', async () => {
    const made = await filled();
    const info = await made.client.storeInfo(StoreInfoRequest.create({ agentId: 'main' }));
    expect(info).toMatchObject({ entryCount: 5, damage: [], writeRefusal: undefined, owner: 'store-writer/test' });
    expect(info.epoch).toBeGreaterThan(0);
  });
});

describe('a store that is damaged', () => {
  const list = ListEntriesRequest.create({ agentId: 'main' });

  it.each(['{"agent:main:main": {"sessionId": "s-1", "upd', '[]', '\u0000\u0000\u0000', 'not json'])('is neither empty nor written to: %j', async (bytes) => {
    const stateDir = newStateDir();
    const file = path.join(sessionsDir(stateDir), 'sessions.json');
    mkdirSync(sessionsDir(stateDir), { recursive: true });
    writeFileSync(file, bytes);
    writeFileSync(
      path.join(sessionsDir(stateDir), 's-1.jsonl'),
      '{"type":"session","version":3,"id":"s-1","timestamp":"2026-06-01T09:00:00.000Z","cwd":"/w","sessionKey":"agent:main:main"}\n',
    );
    const made = await bench({ stateDir });
    const answer = await made.client.listEntries(list);
    expect(answer.encodedRows.map((row) => SessionRow.decode(row).key)).toEqual(['agent:main:main']);
    expect(answer.warnings).not.toEqual([]);
    await expect(made.client.deliver(telegram('x'))).rejects.toMatchObject({ reason: 'STORE_UNREADABLE', hint: expect.stringContaining('sessions verify') as string });
    expect(readFileSync(file, 'utf8')).toBe(bytes);
    expect(await made.client.storeInfo(StoreInfoRequest.create({ agentId: 'main' }))).toMatchObject({ writeRefusal: 'STORE_UNREADABLE' });
    await made.client.repair(RepairRequest.create({ agentId: 'main' }));
    await expect(made.client.deliver(telegram('x'))).resolves.toMatchObject({ created: true });
    expect((await made.client.listEntries(list)).totalCount).toBe(2);
  });

  it('keeps values that are no entries and shows them nowhere', async () => {
    const stateDir = newStateDir();
    mkdirSync(sessionsDir(stateDir), { recursive: true });
    const values = { 'agent:main:a': 'text', 'agent:main:b': null, 'agent:main:c': { x: 1 }, 'agent:main:d': { sessionId: '../../etc/passwd', updatedAt: 1 } };
    writeFileSync(path.join(sessionsDir(stateDir), 'sessions.json'), JSON.stringify(values));
    const made = await bench({ stateDir });
    expect((await made.client.listEntries(list)).totalCount).toBe(0);
    for (const key of Object.keys(values)) {
      const { keys } = await made.client.resolveKey(ResolveKeyRequest.create({ agentId: 'main', by: { $case: 'key', value: key } }));
      expect(keys).toEqual([]);
    }
    await expect(made.client.deliver(telegram('x', { key: 'agent:main:d' }))).rejects.toMatchObject({ reason: 'DAMAGED' });
    await made.client.deliver(telegram('x'));
    await made.client.handOver(HandOverRequest.create({ agentId: 'main' }));
    expect(JSON.parse(readFileSync(path.join(sessionsDir(stateDir), 'sessions.json'), 'utf8'))).toMatchObject(values);
  });
});

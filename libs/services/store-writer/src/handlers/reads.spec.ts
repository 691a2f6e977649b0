/** Lists and look-ups through the whole service. */
import * as path from 'node:path';
import { EntryFilter, HandOverRequest, ListEntriesRequest, PreviewRequest, ResolveKeyRequest, SearchRequest, SessionRow, StoreInfoRequest } from '@sessions/contracts';
import { bench, cleanUpBenches, sessionsDir, telegram, type Bench } from '../testing/writer-bench';

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

  it('search names page by page, and say plainly that texts are not searched', async () => {
    const made = await filled();
    const first = await made.client.search(SearchRequest.create({ agentId: 'main', query: 'telegram', limit: 3 }));
    const second = await made.client.search(SearchRequest.create({ agentId: 'main', query: 'telegram', limit: 3, cursor: first.nextCursor }));
    expect([...first.hits, ...second.hits].map((hit) => hit.key)).toHaveLength(5);
    expect(second.nextCursor).toBeUndefined();
    await expect(made.client.search(SearchRequest.create({ agentId: 'main', query: 'x', in: 'text' }))).rejects.toMatchObject({ reason: 'UNSUPPORTED' });
  });

  it('tell what a store holds', async () => {
    const made = await filled();
    const info = await made.client.storeInfo(StoreInfoRequest.create({ agentId: 'main' }));
    expect(info).toMatchObject({ entryCount: 5, damage: [], writeRefusal: undefined, owner: 'store-writer/test' });
    expect(info.epoch).toBeGreaterThan(0);
  });
});

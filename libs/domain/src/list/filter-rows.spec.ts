import { SessionRow } from '@sessions/contracts';
import { SessionError } from '../errors';
import { LIST_LIMIT_DEFAULT, filterRows, selectRows, type RowFilter } from './filter-rows';

const NOW_MS = Date.UTC(2026, 5, 15, 12);
const MINUTE_MS = 60_000;
const row = (key: string, updatedAtMs?: number, more: Partial<SessionRow> = {}): SessionRow => SessionRow.create({ key, agentId: 'main', updatedAtMs, ...more });
const keys = (rows: readonly SessionRow[], filter: RowFilter): string[] => filterRows(rows, filter, NOW_MS).map(({ key }) => key);
const page = (rows: readonly SessionRow[], limit?: number | 'all', offset?: number) => {
  const { rows: given, ...counters } = selectRows(rows, {}, { ...(limit === undefined ? {} : { limit }), ...(offset === undefined ? {} : { offset }) }, NOW_MS);
  return { keys: given.map(({ key }) => key), ...counters };
};

describe('the order of a list', () => {
  it('is newest first, a missing time as 0, ties in store order', () => {
    const rows = [row('none'), row('b', 5), row('zero', 0), row('a', 5), row('new', 9)];
    expect(page(rows).keys).toEqual(['new', 'b', 'a', 'none', 'zero']);
  });

  it('leaves the given rows where they were', () => {
    const rows = [row('old', 1), row('new', 2)];
    page(rows);
    expect(rows.map(({ key }) => key)).toEqual(['old', 'new']);
  });
});

describe('the page of a list', () => {
  const rows = ['a', 'b', 'c'].map((key, index) => row(key, 10 - index));

  it('counts what is given, what matches and what follows', () => {
    expect(page(rows, 2)).toEqual({ keys: ['a', 'b'], count: 2, totalCount: 3, limitApplied: 2, hasMore: true, nextOffset: 2 });
    expect(page(rows, 2, 2)).toEqual({ keys: ['c'], count: 1, totalCount: 3, limitApplied: 2, hasMore: false, nextOffset: null });
    expect(page(rows, 3)).toMatchObject({ hasMore: false, nextOffset: null });
    expect(page(rows, 5, 9)).toMatchObject({ keys: [], count: 0, totalCount: 3, hasMore: false });
  });

  it('has no bound when all rows are asked for', () => {
    const many = Array.from({ length: LIST_LIMIT_DEFAULT + 1 }, (_, index) => row(`k${index}`, index));
    expect(page(many, 'all')).toMatchObject({ count: many.length, limitApplied: null, hasMore: false });
    expect(page(many)).toMatchObject({ count: LIST_LIMIT_DEFAULT, limitApplied: LIST_LIMIT_DEFAULT, hasMore: true, nextOffset: LIST_LIMIT_DEFAULT });
  });

  it.each([[0, 0], [-1, 0], [1.5, 0], [Number.NaN, 0], [1, -1], [1, 0.5]])('refuses limit %p with offset %p', (limit, offset) => {
    expect(() => page(rows, limit, offset)).toThrow(SessionError);
  });

  it('refuses an empty window', () => expect(() => selectRows(rows, { activeMinutes: 0 }, {}, NOW_MS)).toThrow('activeMinutes'));
});

describe('the selection of a list', () => {
  it('keeps rows changed within the window, its bound included, and those of the future', () => {
    const rows = [row('edge', NOW_MS - 5 * MINUTE_MS), row('old', NOW_MS - 5 * MINUTE_MS - 1), row('future', NOW_MS + MINUTE_MS), row('none'), row('zero', 0)];
    expect(keys(rows, { activeMinutes: 5 })).toEqual(['edge', 'future']);
    expect(keys([row('none'), row('zero', 0)], { activeMinutes: 1e9 })).toEqual(['zero']);
  });

  it('hides the reserved keys and cron runs unless asked', () => {
    const rows = [row('global'), row('unknown'), row('agent:main:cron:j'), row('agent:main:cron:j:run:r')];
    expect(keys(rows, {})).toEqual(['agent:main:cron:j']);
    expect(keys(rows, { includeGlobal: true })).toEqual(['global', 'agent:main:cron:j']);
    expect(keys(rows, { includeUnknown: true, includeCronRuns: true })).toEqual(['unknown', 'agent:main:cron:j', 'agent:main:cron:j:run:r']);
  });

  it('compares labels exactly', () => {
    const rows = [row('a', 1, { label: 'Trip' }), row('b', 1, { label: 'trip' }), row('c')];
    expect(keys(rows, { label: 'Trip' })).toEqual(['a']);
  });

  it('finds the children of a key by spawner and by parent', () => {
    const rows = [row('a', 1, { spawnedBy: 'p' }), row('b', 1, { parentSessionKey: 'p' }), row('c', 1, { spawnedBy: 'q' }), row('p')];
    expect(keys(rows, { spawnedBy: 'p' })).toEqual(['a', 'b']);
  });

  it('searches names, ids, key and model in any case, and nothing else', () => {
    const rows = [row('k1', 1, { displayName: 'Ünï' }), row('k2', 1, { label: 'xÜNÏx' }), row('k3', 1, { subject: 'ünï' }), row('ünï'), row('k5', 1, { sessionId: 'ÜNÏ' }), row('k6', 1, { modelProvider: 'Ü', model: 'nï' }), row('k7', 1, { channel: 'ünï', lastTo: 'ünï' })];
    expect(keys(rows, { search: ' Ünï ' })).toEqual(['k1', 'k2', 'k3', 'ünï', 'k5']);
    expect(keys(rows, { search: 'ü/n' })).toEqual(['k6']);
    expect(keys(rows, { search: '  ' })).toHaveLength(rows.length);
  });

  it('chooses by agent, key, prefix, status and channel, all at once', () => {
    const rows = [row('agent:a:x', 1, { agentId: 'a', status: 'done', channel: 'slack' }), row('agent:b:x', 1, { agentId: 'b', status: 'done', channel: 'slack' }), row('agent:a:y', 1, { agentId: 'a' })];
    expect(keys(rows, { agentId: 'a' })).toEqual(['agent:a:x', 'agent:a:y']);
    expect(keys(rows, { agentIds: ['b'] })).toEqual(['agent:b:x']);
    expect(keys(rows, { agentIds: [] })).toEqual([]);
    expect(keys(rows, { keys: ['agent:a:y', 'gone'] })).toEqual(['agent:a:y']);
    expect(keys(rows, { keys: [] })).toHaveLength(3);
    expect(keys(rows, { keyPrefix: 'agent:a:', status: 'done', channel: 'Slack' })).toEqual(['agent:a:x']);
  });

  it('chooses by the kinds of the command line and of the gateway', () => {
    const rows = [row('agent:a:main'), row('agent:a:telegram:group:1'), row('agent:a:cron:j'), row('agent:a:subagent:s', 1, { spawnedBy: 'agent:a:main' }), row('agent:a:odd', 1, { chatType: 'channel' })];
    expect(keys(rows, { kinds: ['group'] })).toEqual(['agent:a:telegram:group:1', 'agent:a:odd']);
    expect(keys(rows, { kinds: ['cron', 'spawn-child'] })).toEqual(['agent:a:cron:j', 'agent:a:subagent:s']);
    expect(keys(rows, { kinds: ['direct'] })).toEqual(['agent:a:main', 'agent:a:cron:j', 'agent:a:subagent:s']);
    expect(keys(rows, { kinds: [] })).toHaveLength(5);
  });
});

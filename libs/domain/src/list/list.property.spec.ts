import { SessionRow } from '@sessions/contracts';
import fc from 'fast-check';
import { defaultConfig } from '../config/parse-config';
import { parseEntry } from '../entry/entry';
import { asAgentId } from '../ids';
import { nativeEntries, oddEntries, simpleEntries } from '../testing/entry-arbitraries';
import { toCliRow } from './cli-row';
import { selectRows } from './filter-rows';
import { toGatewayRow } from './gateway-row';
import { searchTextOf, toSessionRow } from './session-row';

const NOW_MS = Date.UTC(2026, 5, 15, 12);
const DEFAULTS = { modelProvider: 'openai', model: 'gpt-5', contextTokens: 200_000, thinkingDefault: 'off' };
const anyEntries = fc.oneof(nativeEntries, simpleEntries, oddEntries);

describe('a row of any entry', () => {
  it('is the same behind the wire, and so is everything made of it', () => {
    fc.assert(
      fc.property(anyEntries, (value) => {
        const entry = parseEntry(value);
        if (!entry.listed) return;
        const row = toSessionRow('agent:main:main', entry, { agentId: 'main' });
        const received = SessionRow.decode(SessionRow.encode(row).finish());
        expect(received).toEqual(row);
        const facts = { config: defaultConfig(), agentId: asAgentId('main'), nowMs: NOW_MS };
        expect(JSON.stringify(toCliRow(received, facts))).toBe(JSON.stringify(toCliRow(row, facts)));
        expect(JSON.stringify(toGatewayRow(received, DEFAULTS))).toBe(JSON.stringify(toGatewayRow(row, DEFAULTS)));
        expect(searchTextOf(received)).toBe(searchTextOf(row));
      }),
    );
  });

  it('tells the id and the last activity of a simple entry', () => {
    fc.assert(
      fc.property(simpleEntries, (simple) => {
        const entry = parseEntry(simple);
        if (!entry.listed) throw new Error('simple entries are listed');
        const active = typeof simple['lastActive'] === 'string' ? Date.parse(simple['lastActive']) : null;
        const row = toSessionRow('k', entry, { agentId: 'main' });
        expect(row).toMatchObject({ sessionId: simple['uuid'] });
        expect(row.updatedAtMs ?? null).toBe(active);
      }),
    );
  });
});

describe('the pages of any list', () => {
  const rows = fc
    .array(fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }), { maxLength: 30 })
    .map((times) => times.map((updatedAtMs, index) => SessionRow.create({ key: `k${index}`, agentId: 'main', updatedAtMs })));

  it('put together are the whole list, each row once', () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 7 }), (list, limit) => {
        const whole = selectRows(list, {}, { limit: 'all' }, NOW_MS);
        const keys: string[] = [];
        for (let offset: number | null = 0; offset !== null; ) {
          const page = selectRows(list, {}, { limit, offset }, NOW_MS);
          expect(page).toMatchObject({ count: page.rows.length, totalCount: list.length, hasMore: page.nextOffset !== null });
          keys.push(...page.rows.map(({ key }) => key));
          offset = page.nextOffset;
        }
        expect(keys).toEqual(whole.rows.map(({ key }) => key));
        expect([...keys].sort()).toEqual(list.map(({ key }) => key).sort());
      }),
    );
  });
});

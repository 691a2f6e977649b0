/**
 * The rows that the domain makes of stored entries, against what the original printed for the same
 * entries. Where a decision departs from the original, the test says how.
 */
import { DEFAULT_AGENT_ID, parseConfig, parseEntry, selectRows, toCliRow, toSessionRow } from '@sessions/domain';
import type { CliRow, SessionConfig } from '@sessions/domain';
import JSON5 from 'json5';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Row = Readonly<Record<string, unknown>>;

const FIXTURES = join(__dirname, '..', 'fixtures');
const text = (...path: string[]): string => readFileSync(join(FIXTURES, ...path), 'utf8');
const { fixedNowMs: NOW_MS } = JSON.parse(text('golden-cases.json')) as { fixedNowMs: number };

/** Keys whose entries are not listed: no session id, or an unsafe one. */
const NOT_LISTED = ['agent:main:no-id', 'agent:main:empty', 'agent:main:unsafe-dots'];

/** Members that differ by decision, by key: whole numbers, members of the wrong type, rooms, kinds. */
const DEPARTURES: Readonly<Record<string, readonly string[]>> = {
  'agent:main:time-fraction': ['updatedAt', 'ageMs'],
  'agent:main:time-null': ['updatedAt'],
  'agent:main:tokens-negative': ['totalTokensFresh', 'outputTokens'],
  'agent:main:tokens-text': ['contextTokens'],
  'agent:main:flags-odd': ['elevatedLevel', 'verboseLevel'],
  'agent:main:room:9': ['kind'],
  'agent:main:slack:room:9': ['kind'],
  'agent:main:cron:': ['kind'],
  Global: ['kind'],
};

const BEYOND_THE_ORIGINAL = ['messageCount', 'label', 'displayName', 'channel', 'status'];

function configOf(state: string): SessionConfig {
  const result = parseConfig(JSON5.parse(text('states', state, 'openclaw.json')));
  if (!result.ok) throw new Error(`the configuration of ${state} is refused`);
  return result.config;
}

function ourRows(state: string, page: { readonly limit?: number; readonly activeMinutes?: number }): { rows: CliRow[]; totalCount: number } {
  const store = JSON.parse(text('states', state, 'agents', 'main', 'sessions', 'sessions.json')) as Record<string, unknown>;
  const rows = Object.entries(store).flatMap(([key, value]) => {
    const entry = parseEntry(value);
    return entry.listed ? [toSessionRow(key, entry, { agentId: DEFAULT_AGENT_ID })] : [];
  });
  const filter = { includeGlobal: true, includeUnknown: true, includeCronRuns: true, ...(page.activeMinutes === undefined ? {} : { activeMinutes: page.activeMinutes }) };
  const selected = selectRows(rows, filter, page.limit === undefined ? {} : { limit: page.limit }, NOW_MS);
  const facts = { config: configOf(state), agentId: DEFAULT_AGENT_ID, nowMs: NOW_MS };
  return { rows: selected.rows.map((row) => toCliRow(row, facts)), totalCount: selected.totalCount };
}

function withoutDepartures(row: Row): string {
  const hidden = [...BEYOND_THE_ORIGINAL, ...(DEPARTURES[String(row['key'])] ?? [])];
  return JSON.stringify(Object.fromEntries(Object.entries(row).filter(([name]) => !hidden.includes(name))));
}

describe('rows of the command line', () => {
  it.each([
    ['full-json', 'full', {}],
    ['full-json-limit-3', 'full', { limit: 3 }],
    ['full-json-active-39', 'full', { activeMinutes: 39 }],
    ['full-json-active-60', 'full', { activeMinutes: 60 }],
    ['odd-json', 'odd', {}],
  ])('are those of %s, in their order', (golden, state, page) => {
    const { stdout } = JSON.parse(text('goldens', `${golden}.json`)) as { stdout: string };
    const theirs = JSON.parse(stdout) as { totalCount: number; sessions: Row[] };
    const expected = theirs.sessions.filter(({ key }) => !NOT_LISTED.includes(String(key)));
    const ours = ourRows(state, page);
    expect(ours.rows.map((row) => withoutDepartures({ ...row }))).toEqual(expected.map(withoutDepartures));
    expect(ours.totalCount).toBe(theirs.totalCount - (theirs.sessions.length - expected.length));
  });
});

/** Results on their way to the file of their day, and out of the table. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import Database from 'better-sqlite3';
import * as fc from 'fast-check';
import { NEXT_RESULTS, appendResults, expireResults } from './results-file';
import { INDEXES, TABLES } from './schema';

const DAY_MS = 24 * 60 * 60 * 1000;
const NOW_MS = Date.parse('2026-06-01T12:00:00Z');

let ownDir: string;
let db: Database.Database;
beforeEach(() => {
  ownDir = fs.mkdtempSync(path.join(os.tmpdir(), 'results-'));
  db = new Database(':memory:');
  db.exec(TABLES + INDEXES);
});
afterEach(() => {
  db.close();
  fs.rmSync(ownDir, { recursive: true, force: true });
});

const put = (key: string, seq: number, keepUntilMs = NOW_MS): unknown =>
  db.prepare('INSERT INTO result (key, hash, json, keep_until, seq) VALUES (?, ?, ?, ?, ?)').run(key, 'h', '{}', keepUntilMs, seq);
const written = (): (readonly [string, number])[] =>
  fs.readdirSync(ownDir).flatMap((name) => fs.readFileSync(path.join(ownDir, name), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as unknown[])).map((row) => [row[0] as string, row[4] as number]);
const keys = (): string[] => db.prepare('SELECT key FROM result ORDER BY key').pluck().all() as string[];

describe('results', () => {
  it('are appended once each, in order, though a page ends among those of one sequence', () => {
    const all: (readonly [string, number])[] = [];
    for (let place = 0; place < 2_500; place += 1) {
      const seq = 1 + Math.floor(place / 700);
      const key = `k-${String((place * 7919) % 2_500).padStart(5, '0')}`;
      put(key, seq);
      all.push([key, seq]);
    }
    put('before', 0);
    put('behind', 9);
    put('in a file already', -2);
    const wanted = all.sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
    expect(appendResults(db, ownDir, { fromSeq: 0, toSeq: 4, nowMs: NOW_MS })).toBe(2_500);
    expect(written()).toEqual(wanted);
    expect(appendResults(db, ownDir, { fromSeq: 4, toSeq: 8, nowMs: NOW_MS })).toBe(0);
    expect(written()).toHaveLength(2_500);
  });

  it('are paged by one walk of their index: what is left is not sorted for each page', () => {
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${NEXT_RESULTS}`).all(1, 'k', 9) as { readonly detail: string }[];
    expect(plan.map(({ detail }) => detail)).toEqual([expect.stringMatching(/^SEARCH result USING INDEX result_seq/)]);
  });

  it('past their time leave in as many looks as it takes, and no other ever does', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 4 }), { maxLength: 30 }), fc.integer({ min: 1, max: 7 }), fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }), (names, count, isOld) => {
        db.exec('DELETE FROM result');
        names.forEach((name, place) => put(name, place, isOld[place] === true ? NOW_MS - 3 * DAY_MS : NOW_MS - DAY_MS));
        let behindKey = '';
        let looks = 0;
        do {
          behindKey = expireResults(db, ownDir, { nowMs: NOW_MS, behindKey, count });
          looks += 1;
        } while (behindKey !== '');
        expect(looks).toBeLessThanOrEqual(Math.ceil(names.length / count) + 1);
        expect(keys()).toEqual(names.filter((_, place) => isOld[place] !== true).sort((a, b) => (a < b ? -1 : 1)));
      }),
    );
  });

  it('and the files of days past their time leave, younger ones stay', () => {
    for (const day of ['2026-05-20', '2026-05-23', '2026-05-31']) fs.writeFileSync(path.join(ownDir, `results-${day}.jsonl`), '');
    expireResults(db, ownDir, { nowMs: NOW_MS, behindKey: '', count: 10 });
    expect(fs.readdirSync(ownDir).sort()).toEqual(['results-2026-05-23.jsonl', 'results-2026-05-31.jsonl']);
  });
});

/** The index's own figures, when what they count was not stored. */
import Database from 'better-sqlite3';
import { IndexWriter } from './index-writer';
import { META, VISIBILITY } from './schema';

const COUNT = `${META.countPrefix}${VISIBILITY.listed}`;
const entry = (sessionId: string): string => JSON.stringify({ sessionId, updatedAt: 1 });
const put = (key: string, seq: number) => ({ kind: 'put' as const, key, text: entry(`0190aaaa-0000-7000-8000-00000000000${String(seq)}`), seq });

it('counts each entry once, though its transaction failed before and is tried again', () => {
  const db = new Database(':memory:');
  IndexWriter.createTables(db);
  const writer = new IndexWriter(db, 'main');
  writer.apply([put('agent:main:a', 1)], 1);
  // A page more than there are: what a full disk says to the next one.
  db.pragma(`max_page_count = ${String(db.pragma('page_count', { simple: true }))}`);
  const large = { ...put('agent:main:c', 3), text: JSON.stringify({ ...(JSON.parse(entry('0190aaaa-0000-7000-8000-000000000003')) as object), note: 'x'.repeat(100_000) }) };
  const changes = [put('agent:main:b', 2), large];
  for (let tries = 0; tries < 3; tries += 1) expect(() => writer.apply(changes, 3)).toThrow(/full/);
  expect([writer.meta(COUNT), writer.appliedSeq]).toEqual(['1', 1]);
  db.pragma('max_page_count = 100000');
  writer.apply(changes, 3);
  expect([writer.meta(COUNT), writer.appliedSeq]).toEqual(['3', 3]);
  expect(db.prepare('SELECT count(*) FROM session').pluck().get()).toBe(3);
  db.close();
});

/** Words are read, written and cleared away in turns; whatever happens between two turns, the index has what the files say. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import Database from 'better-sqlite3';
import { IndexWriter } from './index-writer';
import { TextIndex } from './text-index';
import { dropTexts, prepareTexts } from './text-rows';

const T0 = Date.UTC(2026, 5, 1, 12);
/** More than is read in one step. */
const LONG = 'x'.repeat(2000);

let dir: string;
let db: Database.Database;
let texts: TextIndex;

beforeEach(() => {
  dir = fs.mkdtempSync(path.join(tmpdir(), 'text-index-'));
  db = new Database(':memory:');
  IndexWriter.createTables(db);
  texts = new TextIndex(db, dir, (work) => db.transaction(work)());
});
afterEach(() => {
  db.close();
  fs.rmSync(dir, { recursive: true });
});

const line = (n: number, text: string): string => `${JSON.stringify({ type: 'message', id: `m${n}`, parentId: null, timestamp: new Date(T0 + n).toISOString(), message: { role: 'user', content: text } })}\n`;
const say = (file: string, from: number, count: number, text: string): void => {
  fs.appendFileSync(path.join(dir, file), Array.from({ length: count }, (_, index) => line(from + index, text)).join(''));
  texts.noteChanged(file);
};
const readAll = (): void => {
  while (texts.hasChanges) texts.step();
};
const count = (table: string): number => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number;
const found = (word: string): string[] =>
  db.prepare('SELECT f.file FROM text t JOIN text_line l ON l.id = t.rowid JOIN text_file f ON f.id = l.file_id WHERE text MATCH ? ORDER BY t.rowid').pluck().all(word) as string[];

it('writes each message once, however often its transcript grows between two turns', () => {
  for (let n = 0; n < 40; n += 1) {
    say('a.jsonl', n * 20, 20, `alpha ${LONG}`);
    say('b.jsonl', n * 20, 20, `beta ${LONG}`);
    texts.step();
  }
  readAll();
  expect(found('alpha')).toHaveLength(800);
  expect(found('beta')).toHaveLength(800);
  expect(db.prepare('SELECT file, bytes, messages FROM text_file ORDER BY file').all()).toEqual(['a.jsonl', 'b.jsonl'].map((file) => ({ file, bytes: fs.statSync(path.join(dir, file)).size, messages: 800 })));
});

it('clears away all of a transcript that left, and nothing of another', () => {
  say('a.jsonl', 0, 700, 'alpha');
  say('b.jsonl', 0, 700, 'beta');
  readAll();
  // Of the same moments, so that the two lie among each other, and again after some were there.
  say('a.jsonl', 700, 600, 'alpha');
  readAll();
  db.transaction(() => dropTexts(prepareTexts(db), 'a.jsonl'))();
  expect(found('alpha')).toEqual([]);
  let steps = 0;
  for (; texts.clearStep(); steps += 1) expect(steps).toBeLessThan(10);
  expect(steps).toBeGreaterThan(1);
  expect([count('text_line'), count('text'), count('text_gone')]).toEqual([700, 700, 0]);
  expect(found('beta')).toHaveLength(700);
});

it('lets go what it has read of a transcript that is another by the time it is written', () => {
  say('a.jsonl', 0, 300, `alpha ${LONG}`);
  readAll();
  say('a.jsonl', 300, 300, `later ${LONG}`);
  texts.step();
  // Set aside, and begun anew under its name.
  db.transaction(() => dropTexts(prepareTexts(db), 'a.jsonl'))();
  fs.renameSync(path.join(dir, 'a.jsonl'), path.join(dir, 'a.jsonl.reset'));
  say('a.jsonl', 600, 5, 'gamma');
  readAll();
  expect([found('alpha'), found('later')]).toEqual([[], []]);
  expect(found('gamma')).toHaveLength(5);
  while (texts.clearStep());
  expect([count('text_line'), count('text')]).toEqual([5, 5]);
});

it('reads again what was read before a failure and not written', () => {
  say('a.jsonl', 0, 5, 'alpha');
  texts.step();
  db.exec('ALTER TABLE text_line RENAME TO elsewhere');
  expect(() => texts.step()).toThrow(/text_line/);
  db.exec('ALTER TABLE elsewhere RENAME TO text_line');
  expect(texts.hasChanges).toBe(true);
  readAll();
  expect(found('alpha')).toHaveLength(5);
});

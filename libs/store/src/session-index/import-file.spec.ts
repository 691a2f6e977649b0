import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { PARSER_FILE_BYTES_MIN } from '../value-parser-client';
import { importSessionsFile } from './import-file';
import { IndexWriter } from './index-writer';
import { openIndexForWriting } from './open-database';

jest.mock('node:os', () => ({ ...jest.requireActual<typeof os>('node:os'), availableParallelism: jest.fn(() => 2) }));

const TEXT = 'x'.repeat(2000);

describe('the import of a large sessions file', () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'import-file-'));
    file = path.join(dir, 'sessions.json');
  });
  afterEach(() => fs.rmSync(dir, { recursive: true }));

  /** Everything that the index has of the file, or why it has nothing. */
  function imported(processors: number): unknown {
    jest.mocked(os.availableParallelism).mockReturnValue(processors);
    const db = openIndexForWriting(path.join(dir, `index-${processors}.sqlite`));
    try {
      IndexWriter.createTables(db);
      const report = importSessionsFile(new IndexWriter(db, 'main'), file);
      const rows = db.prepare('SELECT s.*, e.json FROM session s JOIN entry e ON e.id = s.id ORDER BY s.id').all();
      return { report, rows: rows.length, hash: JSON.stringify(rows) };
    } catch (error) {
      return { error: (error as Error).message, rows: db.prepare('SELECT count(*) FROM session').pluck().get() };
    } finally {
      db.close();
    }
  }

  /** Members of an object of some six mebibytes, with oddities in between. */
  function members(): string[] {
    const plain = Array.from({ length: 3000 }, (_, n) => `"agent:main:k${n}": {"sessionId":"s${n}","updatedAt":${n},"label":"l${n}","unknown":1.0,"text":"${TEXT}"}`);
    const odd = ['"agent:main:k7": {"sessionId":"later","updatedAt":1e400}', '"agent:main:text": "text"', '"agent:main:\\u0062": {"updatedAt":-1,"\\ud800":[ ]}', '"agent:main:null": null', '"unknown": {"sessionId":"größe"}'];
    odd.forEach((member, index) => plain.splice(500 * (index + 1), 0, member));
    return plain;
  }

  it('is the same whether one thread does it or two', () => {
    fs.writeFileSync(file, `{\n  ${members().join(',\n  ')}\n}`);
    expect(fs.statSync(file).size).toBeGreaterThan(PARSER_FILE_BYTES_MIN);
    const alone = imported(1);
    expect(alone).toMatchObject({ report: { entriesCount: 3005, notices: [{ count: 1 }] }, rows: 3004 });
    expect(imported(2)).toEqual(alone);
  });

  it.each([
    ['a value', (all: string[]) => all.splice(2500, 1, '"agent:main:broken": {"a":tru}')],
    ['a value that stands before another damage', (all: string[]) => all.splice(2999, 2, '"agent:main:broken": {"a":tru}', '"agent:main:k" 5')],
    ['the first of two values', (all: string[]) => [700, 2900].forEach((at) => all.splice(at, 1, '"agent:main:broken": {"a":tru}'))],
    ['what stands between entries', (all: string[]) => all.splice(2500, 1, '"agent:main:k" 5')],
  ])('names the first damage, that of %s, and leaves the index empty', (_, damage) => {
    const all = members();
    damage(all);
    fs.writeFileSync(file, `{${all.join(',')}}`);
    const alone = imported(1);
    expect(alone).toMatchObject({ error: expect.stringContaining('damaged at byte') as string, rows: 0 });
    expect(imported(2)).toEqual(alone);
  });
});

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { nativeEntries, oddEntries, simpleEntries } from '@sessions/domain/testing';
import { factRowOf } from '../offline/fact-row';
import { importColumns } from './entry-columns';
import { IndexReader } from './index-reader';
import { IndexWriter } from './index-writer';
import { openIndexForWriting } from './open-database';
import { META } from './schema';

const busy = fc.record(
  {
    openRuns: fc.constantFrom([], [{ request: { runId: 'r' } }]),
    openDeliveries: fc.constantFrom([], [{ deliveryId: 'd', createdAt: 1 }]),
    pendingCompaction: fc.constant({ id: 'c' }),
    usageFamilySessionIds: fc.array(fc.uuid(), { maxLength: 3 }),
    compactionCheckpoints: fc.array(fc.record({ sessionId: fc.uuid(), postCompaction: fc.record({ sessionId: fc.uuid() }) }), { maxLength: 2 }),
    archiveAt: fc.constantFrom(17, 1.5, '17', null),
    cleanup: fc.constantFrom('keep', 'delete'),
    spawnMode: fc.constantFrom('session', 'run'),
    status: fc.constantFrom('running', 'done'),
  },
  { requiredKeys: [] },
);
const rests = fc.constantFrom('main', 'telegram:direct:1', 'telegram:group:5', 'x:thread:9', 'subagent:a', 'cron:job:run:1', 'explicit:model-run-0b6c7d10-1111-4222-8333-944455556666', 'dashboard:1');
const entries = fc.uniqueArray(fc.tuple(rests, fc.oneof(nativeEntries, simpleEntries, oddEntries), busy).map(([rest, entry, more]) => ({ key: `agent:main:${rest}`, value: (typeof entry === 'object' && entry !== null && !Array.isArray(entry) ? { ...entry, ...more } : entry) as unknown })), { maxLength: 8, selector: ({ key }) => key });

describe('what a plan is made from, in the index', () => {
  let dir: string;
  beforeEach(() => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'fact-rows-'));
  });
  afterEach(() => fs.rmSync(dir, { recursive: true }));

  it.each(['imported', 'imported, and its rows made', 'put', 'put over another'] as const)('is what the entry itself says: %s', (way) => {
    let number = 0;
    fc.assert(
      fc.property(entries, (given) => {
        const file = path.join(dir, `${String((number += 1))}.sqlite`);
        const db = openIndexForWriting(file);
        IndexWriter.createTables(db);
        const writer = new IndexWriter(db, 'main');
        writer.transaction(() => {
          for (const { key, value } of given) {
            const text = JSON.stringify(value);
            if (way === 'put over another') writer.putEntry(key, '{"sessionId":"other","updatedAt":5,"status":"running","label":"l","model":"m","archiveAt":3,"cleanup":"keep"}', 'mutation');
            if (way.startsWith('put')) writer.putEntry(key, text, 'mutation');
            else writer.importEntry(key, Buffer.from(text), importColumns(key, JSON.parse(text)));
          }
          writer.setMeta(META.rowsMadeId, 0);
        });
        if (way.endsWith('made')) while (writer.makeRows(3));
        const reader = new IndexReader(file, 'main');
        const rows = reader.factRows(Number.MIN_SAFE_INTEGER, 100).map(({ id: _, ...row }) => row);
        reader.close();
        db.close();
        fs.rmSync(file);
        expect(rows).toEqual(given.map(({ key, value }) => factRowOf(key, JSON.parse(JSON.stringify(value)), Buffer.byteLength(JSON.stringify(value)))));
      }),
      { numRuns: 60 },
    );
  });
});

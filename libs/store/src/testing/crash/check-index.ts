/**
 * Invariant I6: the session index is a function of the files. Every row is computed anew from the
 * entry's bytes in the sessions file and the transcript's lines, and compared byte for byte.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseRawEntries } from './raw-entries';
import type { Violation } from './check-transcripts';
import type { DumpedIndex } from './store-dump';
import { entryColumns } from '../../session-index/entry-columns';
import { META, VISIBILITY } from '../../session-index/schema';
import { scanTailOf } from '../../session-index/transcript-facts';

/** @param sessionsFile must be up to date: the store was closed, or a checkpoint was asked for. */
export async function checkIndex(index: DumpedIndex, sessionsFile: string): Promise<Violation[]> {
  const violations: Violation[] = [];
  const wrong = (message: string): void => {
    violations.push({ invariant: 'I6', message });
  };
  if (index.integrity !== 'ok') wrong(`the index is not sound: ${index.integrity}`);
  const entries = parseRawEntries(fs.readFileSync(sessionsFile, 'utf8'));
  const keysInIndex = index.rows.map((row) => row.key);
  const keysInFile = entries.map((entry) => entry.key);
  if (keysInIndex.join('\n') !== keysInFile.join('\n')) wrong(`the index has the keys ${keysInIndex.join(', ')}, the file ${keysInFile.join(', ')}`);
  const textOf = new Map(entries.map((entry) => [entry.key, entry.text]));
  const counts = new Map<number, number>();
  for (const row of index.rows) {
    counts.set(row.visibility, (counts.get(row.visibility) ?? 0) + 1);
    const text = textOf.get(row.key);
    if (text === undefined) continue;
    if (text !== row.json) wrong(`${row.key}: the index has ${row.json}, the file ${text}`);
    const columns = entryColumns(row.key, 'main', JSON.parse(text), (file) => index.transcripts.get(file)?.exchanges);
    const inIndex = [row.visibility, row.updated_at, row.sort_at, row.session_id, row.file, row.label, row.spawned_by, row.parent_key, row.status, row.search, row.row.toString('base64')];
    const fromFile = [
      columns.visibility,
      columns.updatedAt,
      columns.sortAt,
      columns.sessionId,
      columns.file,
      columns.label,
      columns.spawnedBy,
      columns.parentKey,
      columns.status,
      columns.search,
      columns.row.toString('base64'),
    ];
    if (JSON.stringify(inIndex) !== JSON.stringify(fromFile)) wrong(`${row.key}: the columns are ${JSON.stringify(inIndex)}, from the file ${JSON.stringify(fromFile)}`);
  }
  for (const visibility of Object.values(VISIBILITY)) {
    const counted = Number(index.meta.get(`${META.countPrefix}${visibility}`) ?? 0);
    if (counted !== (counts.get(visibility) ?? 0)) wrong(`${counted} rows are counted with visibility ${visibility}, ${counts.get(visibility) ?? 0} are there`);
  }
  for (const [file, tail] of index.transcripts) {
    const scanned = await scanTailOf(path.join(path.dirname(sessionsFile), file), undefined, () => Promise.resolve());
    if (JSON.stringify(scanned) !== JSON.stringify(tail)) wrong(`${file}: the index says ${JSON.stringify(tail)}, the file ${JSON.stringify(scanned)}`);
  }
  return violations;
}

/** Checks that every acknowledged record of a store's journal can be read, and learns which files it names. Reads only. */
import * as path from 'node:path';
import { errorCodeOf } from '../files/error-code';
import { nodeFileSystem } from '../files/file-system';
import type { StoreLayout } from '../files/layout';
import { readJournal } from '../journal/replay';
import type { FindingList } from './findings';
import type { RowVerifier } from './row-verifier';

/** Call only while no owner writes: a journal that is being written and recycled cannot be read from outside. */
export async function verifyJournal({ layout, list, rows }: { readonly layout: StoreLayout; readonly list: FindingList; readonly rows: RowVerifier }): Promise<void> {
  let journal;
  try {
    journal = await readJournal(nodeFileSystem, layout.ownDir);
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === 'ENOENT') return;
    list.add('journal-damaged', `the journal cannot be read (${code ?? 'unknown error'})`, { file: path.relative(layout.dir, layout.ownDir) });
    return;
  }
  for (const { path: segment, offset, fromSeq, toSeq } of journal.damage) {
    const file = path.relative(layout.dir, segment);
    list.add('journal-damaged', `acknowledged mutations ${fromSeq} to ${toSeq} cannot be read, from byte ${offset}`, { file });
  }
  for (const { ops } of journal.records) {
    for (const op of ops) if ('file' in op) rows.explain(op.file);
  }
}

/**
 * Checks that every acknowledged record of a store's journal can be read, and learns which files it
 * names and which operations on files the next start has to finish. Reads only.
 */
import * as path from 'node:path';
import { errorCodeOf } from '../files/error-code';
import { nodeFileSystem } from '../files/file-system';
import type { StoreLayout } from '../files/layout';
import type { FileOp } from '../journal/codec';
import { readJournal } from '../journal/replay';
import { openFileOps } from '../recovery';
import type { FindingList } from './findings';
import type { RowVerifier } from './row-verifier';

/**
 * Call only while no owner writes: a journal that is being written and recycled cannot be read from outside.
 * @returns names of files that operations were interrupted at; nothing can be said of them yet
 */
export async function verifyJournal({ layout, list, rows }: { readonly layout: StoreLayout; readonly list: FindingList; readonly rows: RowVerifier }): Promise<ReadonlySet<string>> {
  const unfinished = new Set<string>();
  let journal;
  try {
    journal = await readJournal(nodeFileSystem, layout.ownDir);
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === 'ENOENT') return unfinished;
    list.add('journal-damaged', `the journal cannot be read (${code ?? 'unknown error'})`, { file: path.relative(layout.dir, layout.ownDir) });
    return unfinished;
  }
  for (const { path: segment, offset, fromSeq, toSeq } of journal.damage) {
    const file = path.relative(layout.dir, segment);
    list.add('journal-damaged', `acknowledged mutations ${fromSeq} to ${toSeq} cannot be read, from byte ${offset}`, { file });
  }
  for (const { ops } of journal.records) {
    for (const op of ops) if ('file' in op) rows.explain(op.file);
  }
  for (const op of openFileOps(journal.records).flatMap(({ ops }) => ops)) {
    if (op.op === 'manifest') continue;
    for (const name of namesOf(op)) unfinished.add(name);
    list.add('archive-unfinished', 'an operation on this file was interrupted; the next start finishes it', { file: 'file' in op ? op.file : op.archive });
  }
  return unfinished;
}

function namesOf(op: Exclude<FileOp, { op: 'manifest' }>): string[] {
  if (op.op === 'aside') return [op.file, op.to];
  if (op.op === 'replace') return [op.file, ...(op.keptAs === undefined ? [] : [op.keptAs])];
  return op.op === 'back' ? [op.archive, op.file] : [op.archive];
}

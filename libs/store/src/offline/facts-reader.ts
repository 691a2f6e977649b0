/**
 * What maintenance plans are made from, read beside the owner of a store or without one: for dry runs
 * of the command line. Makes no file and changes none. Keeps what facts are made from of each entry of one store in memory.
 */
import { factMembers } from '@sessions/domain';
import { nodeFileSystem } from '../files/file-system';
import type { StoreLayout } from '../files/layout';
import { importColumns } from '../session-index/entry-columns';
import { StoreFacts, type OrderedRow } from '../store-facts';
import { StoreFiles } from '../store-files';
import { openStoreReader, type ReaderOptions } from './store-reader';

export interface FactsReader {
  readonly layout: StoreLayout;
  /** Why no plan may be made; undefined: one may. */
  readonly refusal: string | undefined;
  readonly facts: StoreFacts;
  readonly files: StoreFiles;
}

/** @throws STORE_UNREADABLE */
export async function openFactsReader(options: ReaderOptions & { readonly nowMs: () => number }): Promise<FactsReader> {
  const reader = await openStoreReader(options);
  try {
    const rows: OrderedRow[] = [];
    for (const { key, text } of reader.entries()) {
      // Parsed once: each pass over the rows would do it again, and the text is most of the memory.
      const value: unknown = JSON.parse(text);
      const { sessionId, file, updatedAt, visibility, sortAt } = importColumns(key, value);
      rows.push({ id: rows.length, key, text: '', members: factMembers(value), entryBytes: Buffer.byteLength(text), sessionId, file, updatedAt, visibility, sortAt });
    }
    const { layout } = reader;
    const parts = { fs: nodeFileSystem, layout };
    return {
      layout,
      // Rows of a copy: the file itself could not be read, or is missing.
      refusal: reader.warning === undefined ? undefined : 'STORE_UNREADABLE',
      facts: new StoreFacts({ ...parts, reader: { rowsBehind: (after, limit) => rows.slice(Math.max(0, after + 1), Math.max(0, after + 1) + limit), openWork: () => [] }, nowMs: options.nowMs, upToDate: () => Promise.resolve() }),
      files: new StoreFiles({ ...parts, transcripts: { settled: () => Promise.resolve() } }),
    };
  } finally {
    reader.close();
  }
}

/**
 * What maintenance plans are made from, read beside the owner of a store or without one: for dry runs
 * of the command line. Makes no file and changes none. Keeps the entries of one store in memory.
 */
import { nodeFileSystem } from '../files/file-system';
import type { StoreLayout } from '../files/layout';
import { entryColumns } from '../session-index/entry-columns';
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
    const rows = [...reader.entries()].map(({ key, text }, id): OrderedRow => {
      const { sessionId, file, updatedAt, visibility, sortAt } = entryColumns(key, options.agentId, JSON.parse(text), () => undefined);
      return { id, key, text, sessionId, file, updatedAt, visibility, sortAt };
    });
    rows.sort((left, right) => left.sortAt - right.sortAt || right.id - left.id);
    const { layout } = reader;
    const parts = { fs: nodeFileSystem, layout };
    return {
      layout,
      // Rows of a copy: the file itself could not be read, or is missing.
      refusal: reader.warning === undefined ? undefined : 'STORE_UNREADABLE',
      facts: new StoreFacts({ ...parts, reader: { oldestRows: (visibility, after) => (after === undefined ? rows.filter((row) => row.visibility === visibility) : []), openWork: () => [] }, nowMs: options.nowMs, upToDate: () => Promise.resolve() }),
      files: new StoreFiles({ ...parts, transcripts: { settled: () => Promise.resolve() } }),
    };
  } finally {
    reader.close();
  }
}

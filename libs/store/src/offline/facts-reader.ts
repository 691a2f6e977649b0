/**
 * What maintenance plans are made from, read beside the owner of a store or without one: for dry runs
 * of the command line. Makes no file and changes none. Keeps of each entry of one store in memory what facts are made from.
 */
import type { ListedArchive } from '../archive/list-archives';
import { pendingArchives } from '../archive/pending-archives';
import { nodeFileSystem } from '../files/file-system';
import type { StoreLayout } from '../files/layout';
import type { OrderedRow } from '../session-index/index-reader';
import { StoreFacts, type StoreFactsParts } from '../store-facts';
import { StoreFiles } from '../store-files';
import { openStoreReader, type ReaderOptions } from './store-reader';

export interface FactsReader {
  readonly layout: StoreLayout;
  /** Why no plan may be made; undefined: one may. */
  readonly refusal: string | undefined;
  readonly facts: StoreFacts;
  readonly files: StoreFiles;
  /** What the journal alone tells of; ask only beside no owner, whose journal is on the move. */
  readonly pendingArchives: () => Promise<readonly ListedArchive[]>;
}

/** @throws STORE_UNREADABLE */
export async function openFactsReader(options: ReaderOptions & { readonly nowMs: () => number }): Promise<FactsReader> {
  const reader = await openStoreReader(options);
  try {
    const rows: OrderedRow[] = [];
    for (const row of reader.factRows()) rows.push({ ...row, id: rows.length });
    const { layout } = reader;
    const parts = { fs: nodeFileSystem, layout };
    return {
      layout,
      // Rows of a copy: the file itself could not be read, or is missing.
      refusal: reader.warning === undefined ? undefined : 'STORE_UNREADABLE',
      facts: new StoreFacts({ ...parts, reader: readerOf(rows), nowMs: options.nowMs, upToDate: () => Promise.resolve() }),
      files: new StoreFiles({ ...parts, transcripts: { settled: () => Promise.resolve() } }),
      pendingArchives: () => pendingArchives(nodeFileSystem, layout),
    };
  } finally {
    reader.close();
  }
}

/** @param rows with their places as ids. */
function readerOf(rows: readonly OrderedRow[]): StoreFactsParts['reader'] {
  const behind = (after: number): number => Math.max(0, after + 1);
  return {
    factRows: (after, limit) => rows.slice(behind(after), behind(after) + limit),
    dueRows: (nowMs, after, limit) => rows.slice(behind(after)).filter(({ archiveAtMs }) => archiveAtMs !== null && archiveAtMs <= nowMs).slice(0, limit),
    openWork: () => [],
  };
}

/**
 * Reads a store that somebody else owns, or nobody: for commands without a gateway. Makes no file
 * and changes none.
 *
 * Where the answers come from, in this order:
 *   index    its recorded size, time and inode of `sessions.json` match what stands there;
 *   file     `sessions.json`, scanned entry by entry;
 *   index    again, with a warning, when the file cannot be read: a store that cannot be read is
 *            never an empty one.
 * What the journal has beyond either of them is laid over in memory.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { SessionError } from '@sessions/domain';
import { assertRealDirectories } from '../files/real-directories';
import { nodeFileSystem, sameIdentity } from '../files/file-system';
import { parseSegmentName, storeLayout, type StoreLayout } from '../files/layout';
import { neighbourStoresSync } from '../files/neighbour-stores';
import type { JournalRecord } from '../journal/codec';
import { readJournal } from '../journal/replay';
import { IndexReader, type ListQuery } from '../session-index/index-reader';
import { identifySync } from '../session-index/open-index';
import { INDEX_FORMAT, META } from '../session-index/schema';
import type { FactRow } from './fact-row';
import { FileEntries } from './file-entries';
import { IndexEntries } from './index-entries';

export interface ReaderOptions {
  readonly agentId: string;
  /** Absolute path of `sessions.json`. */
  readonly sessionsFile: string;
  /** Path of better_sqlite3.node, for bundles. */
  readonly nativeBinding?: string;
}

export interface ReadEntry {
  readonly key: string;
  /** The exact JSON bytes of the value. */
  readonly text: string;
}

export interface ReadRows {
  /** Encoded SessionRows, newest first, ties in store order. */
  readonly encodedRows: readonly Uint8Array[];
  readonly totalCount: number;
}

/** One way to the entries of a store. */
export interface EntrySource {
  list(query: ListQuery): ReadRows;
  /** The first of these keys that has an entry. */
  firstExisting(keys: readonly string[]): ReadEntry | undefined;
  ofSession(sessionId: string): ReadEntry | undefined;
  /** Every entry, those that no list shows too. */
  entries(): Iterable<ReadEntry>;
  /** What plans are made from, of every entry. */
  factRows(): Iterable<FactRow>;
  /** Those of them whose removal was announced, or that hold a message which nobody has acknowledged. */
  waitingRows(): Iterable<FactRow>;
  close(): void;
}

export interface StoreReader extends EntrySource {
  readonly layout: StoreLayout;
  /** `none`: there is no store here. */
  readonly source: 'index' | 'file' | 'none';
  /** Why the answers do not come from `sessions.json`; undefined when they do. */
  readonly warning: string | undefined;
}

/** @throws STORE_UNREADABLE when `sessions.json` cannot be read and no index of it is there. */
export async function openStoreReader(options: ReaderOptions): Promise<StoreReader> {
  const layout = storeLayout(options.agentId, options.sessionsFile);
  await assertRealDirectories(layout);
  const found = identifySync(options.sessionsFile);
  const index = openIndexIfReadable(layout, options.nativeBinding);
  if (index !== undefined && found !== 'not-a-file' && found !== undefined && sameIdentity(found, identityOf(index))) {
    return reader(layout, 'index', undefined, await indexSource(layout, index, options.agentId));
  }
  const damage = found === 'not-a-file' ? `${options.sessionsFile} is not a regular file` : found?.size === 0 ? `${options.sessionsFile} has 0 bytes` : undefined;
  if (found !== undefined && damage === undefined) {
    try {
      const source = new FileEntries(options.agentId, options.sessionsFile, await journalOverlay(layout, 0));
      index?.close();
      return reader(layout, 'file', undefined, source);
    } catch (error) {
      if (index === undefined || !(error instanceof SessionError) || error.reason !== 'STORE_UNREADABLE') throw error;
      return reader(layout, 'index', `${error.message}; rows come from the session index`, await indexSource(layout, index, options.agentId));
    }
  }
  if (index !== undefined) {
    // A young store whose first checkpoint is still to come misses nothing.
    const isYoung = damage === undefined && identityOf(index) === undefined;
    const warning = isYoung ? undefined : `${damage ?? `${options.sessionsFile} is missing`}; rows come from the session index`;
    return reader(layout, 'index', warning, await indexSource(layout, index, options.agentId));
  }
  if (damage === undefined && !hasConversations(layout)) return reader(layout, 'none', undefined, new FileEntries(options.agentId, undefined, await journalOverlay(layout, 0)));
  throw new SessionError('STORE_UNREADABLE', damage ?? `${options.sessionsFile} is missing, but transcripts stand beside it`, {
    facts: { path: options.sessionsFile },
    hint: `run: openclaw sessions verify --agent ${options.agentId} --repair`,
  });
}

function reader(layout: StoreLayout, source: StoreReader['source'], warning: string | undefined, entries: EntrySource): StoreReader {
  return {
    layout,
    source,
    warning,
    list: (query) => entries.list(query),
    firstExisting: (keys) => entries.firstExisting(keys),
    ofSession: (sessionId) => entries.ofSession(sessionId),
    entries: () => entries.entries(),
    factRows: () => entries.factRows(),
    waitingRows: () => entries.waitingRows(),
    close: () => entries.close(),
  };
}

const WAL_FORMAT_OFFSET = 18;
const WAL_FORMAT = 2;

/** A database in WAL mode is opened only beside its `-wal` and `-shm`: otherwise SQLite would make them. */
export function openIndexIfReadable(layout: StoreLayout, nativeBinding: string | undefined): IndexReader | undefined {
  if (!fs.existsSync(layout.indexFile)) return undefined;
  try {
    const inWalMode = readByte(layout.indexFile, WAL_FORMAT_OFFSET) === WAL_FORMAT;
    if (inWalMode && !(fs.existsSync(`${layout.indexFile}-wal`) && fs.existsSync(`${layout.indexFile}-shm`))) return undefined;
    const index = new IndexReader(layout.indexFile, layout.agentId, nativeBinding);
    // One made from transcripts beside a sessions file that cannot be read knows less than was there, and keys that nobody wrote.
    if (index.meta(META.format) === String(INDEX_FORMAT) && index.meta(META.partial) !== '1') return index;
    index.close();
  } catch {
    // A damaged index is no reason to fail: the files hold everything, and its owner rebuilds it.
  }
  return undefined;
}

function readByte(file: string, offset: number): number | undefined {
  const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    const byte = Buffer.alloc(1);
    return fs.readSync(fd, byte, 0, 1, offset) === 1 ? byte[0] : undefined;
  } finally {
    fs.closeSync(fd);
  }
}

function identityOf(index: IndexReader): { size: number; mtimeNs: bigint; inode: bigint } | undefined {
  const size = index.meta(META.fileSize);
  if (size === undefined || size === '') return undefined;
  return { size: Number(size), mtimeNs: BigInt(index.meta(META.fileMtimeNs) ?? 0), inode: BigInt(index.meta(META.fileInode) ?? 0) };
}

/** An owner that closed in order left nothing in the journal that index or transcripts lack. */
export function isClosedInOrder(index: IndexReader): boolean {
  return index.meta(META.closedSeq) === (index.meta(META.appliedSeq) ?? '0');
}

async function indexSource(layout: StoreLayout, index: IndexReader, agentId: string): Promise<EntrySource> {
  const appliedSeq = Number(index.meta(META.appliedSeq) ?? 0);
  return new IndexEntries(agentId, index, isClosedInOrder(index) ? [] : await journalOverlay(layout, appliedSeq));
}

/** Records of the journal behind `afterSeq`. */
export async function journalOverlay(layout: StoreLayout, afterSeq: number): Promise<readonly JournalRecord[]> {
  if (!fs.existsSync(layout.ownDir) || !fs.readdirSync(layout.ownDir).some((name) => parseSegmentName(name) !== undefined)) return [];
  const { records } = await readJournal(nodeFileSystem, layout.ownDir, afterSeq);
  return records.filter((record) => record.seq > afterSeq);
}

/** Transcripts beside another store are that one's. */
function hasConversations(layout: StoreLayout): boolean {
  if (!fs.existsSync(layout.dir) || neighbourStoresSync(layout).length > 0) return false;
  return fs.readdirSync(layout.dir).some((name) => name.endsWith('.jsonl') && !name.endsWith('.trajectory.jsonl')) || fs.existsSync(path.join(layout.ownDir, 'owner.json'));
}


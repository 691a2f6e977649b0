/**
 * Every path and file name of one agent's store, built here and nowhere else.
 *
 *     <dir>/sessions.json                 key -> entry, written at checkpoints
 *     <dir>/<transcript>.jsonl            the durable record of a conversation
 *     <dir>/<transcript>.jsonl.lock       courtesy lock
 *     <dir>/.store/…                      this engine's own files
 */
import * as path from 'node:path';

/** Paths of one store; all absolute. */
export interface StoreLayout {
  readonly agentId: string;
  /** The directory that holds `sessions.json` and the transcripts. */
  readonly dir: string;
  readonly sessionsFile: string;
  /** `.store`, or `.store-<base name>` beside a sessions file of another name. */
  readonly ownDir: string;
  readonly ownerFile: string;
  readonly ownerLockFile: string;
  readonly indexFile: string;
  readonly manifestFile: string;
  /** The usage ledger. */
  readonly usageFile: string;
  readonly quarantineDir: string;
  readonly uploadsDir: string;
}

/** In the store's own directory. */
export const USAGE_FILE = 'usage.jsonl';

const DEFAULT_BASE_NAME = 'sessions.json';

/** @param sessionsFile absolute path of the store's sessions file. */
export function storeLayout(agentId: string, sessionsFile: string): StoreLayout {
  const dir = path.dirname(sessionsFile);
  const base = path.basename(sessionsFile);
  const ownDir = path.join(dir, base === DEFAULT_BASE_NAME ? '.store' : `.store-${base}`);
  return {
    agentId,
    dir,
    sessionsFile,
    ownDir,
    ownerFile: path.join(ownDir, 'owner.json'),
    ownerLockFile: path.join(ownDir, 'owner.lock'),
    indexFile: path.join(ownDir, 'index.sqlite'),
    manifestFile: path.join(ownDir, 'archive-manifest.jsonl'),
    usageFile: path.join(ownDir, USAGE_FILE),
    quarantineDir: path.join(ownDir, 'quarantine'),
    uploadsDir: path.join(ownDir, 'uploads'),
  };
}

const SEGMENT_NAME = /^journal-(\d{8})-(\d{16})\.log$/;
const SPARE_NAME = /^journal-spare-(\d+)-(\d+)\.log$/;
const RESULTS_NAME = /^results-(\d{4}-\d{2}-\d{2})\.jsonl$/;
const TEMP_NAME = /\.(?:\d+\.)?[0-9a-f-]{36}\.tmp$/;

/** Which owner wrote a segment, and from which mutation on. */
export interface SegmentName {
  readonly epoch: number;
  readonly firstSeq: number;
}

/**
 * `journal-<epoch>-<firstSeq>.log`, padded so that names sort as numbers do. The epoch keeps an owner
 * that was stopped and woke up from ever touching a file of its successor.
 */
export function segmentFileName({ epoch, firstSeq }: SegmentName): string {
  return `journal-${String(epoch).padStart(8, '0')}-${String(firstSeq).padStart(16, '0')}.log`;
}

/** Undefined for names that are no segment's. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const match = SEGMENT_NAME.exec(name);
  return match === null ? undefined : { epoch: Number(match[1]), firstSeq: Number(match[2]) };
}

export function spareFileName(epoch: number, n: number): string {
  return `journal-spare-${epoch}-${n}.log`;
}

/** Undefined for names that are no spare segment's. */
export function epochOfSpare(name: string): number | undefined {
  const epoch = SPARE_NAME.exec(name)?.[1];
  return epoch === undefined ? undefined : Number(epoch);
}

/** Results of idempotent mutations of one UTC day; `day` is `YYYY-MM-DD`. */
export function resultsFileName(day: string): string {
  return `results-${day}.jsonl`;
}

/** The day of a results file by its name; undefined for other names. */
export function dayOfResultsFile(name: string): string | undefined {
  return RESULTS_NAME.exec(name)?.[1];
}

/** Temporary file that a sessions file is written to before it is renamed (the original's pattern). */
export function tempFileFor(file: string, pid: number, uuid: string): string {
  return `${file}.${pid}.${uuid}.tmp`;
}

export function isTempFileName(name: string): boolean {
  return TEMP_NAME.test(name);
}

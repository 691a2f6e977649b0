/**
 * Names of the files that belong to one entry, as pure work on strings. Keys never become file
 * names; only session ids do. Whoever opens a file checks besides that no link leads elsewhere.
 */
import { isSessionId } from '../ids';

const SUFFIX = '.jsonl';
/** Longest name of a file, in UTF-16 units. */
const FILE_NAME_LENGTH_MAX = 255;
/** The folder inside the sessions directory that may hold transcripts too. */
const TRANSCRIPTS_DIR = 'transcripts';

/**
 * What stands before `.jsonl` in a name that we make is at most this long, so that archives of the
 * file and of its sidecars can still be named after it.
 */
const TOPIC_BASE_LENGTH_MAX = 160;

/**
 * `<sessionId>.jsonl`, or `<sessionId>-topic-<threadId>.jsonl` for a topic. A topic that would make a
 * name too long, or one that reads like a sidecar's (after a point), is left out: `sessionFile` says
 * which file it is either way.
 */
export function transcriptFileName(sessionId: string, topicThreadId?: string): string {
  if (topicThreadId === undefined) return `${sessionId}${SUFFIX}`;
  const topic = encodeURIComponent(topicThreadId);
  const base = `${sessionId}-topic-${topic}`;
  return topic.includes('.') || base.length > TOPIC_BASE_LENGTH_MAX ? `${sessionId}${SUFFIX}` : `${base}${SUFFIX}`;
}

const SUCCESSOR = /^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}[.-]\d{3}Z_(.+)$/s;

/** `<stamp>_<sessionId>.jsonl`: a transcript that goes on with another one; no point stands in its stamp. */
export function successorFileName(sessionId: string, atMs: number): string {
  return `${fileStamp(atMs).replaceAll('.', '-')}_${sessionId}${SUFFIX}`;
}

/** Session id in the name of such a transcript, or of what is named after it, its ending taken off; undefined for other names. */
export function sessionOfSuccessor(base: string): string | undefined {
  const id = SUCCESSOR.exec(base)?.[1];
  return id !== undefined && isSessionId(id) ? id : undefined;
}

/**
 * The transcript's path inside the sessions directory: what `sessionFile` names when it is safe,
 * else the session id's own file. A name that no transcript has (the sessions file, a lock, a pointer,
 * a trajectory, an archive) is not safe: lines would go into it, and a reset would take it away.
 * @param sessionsDir absolute path of the directory. Without it an absolute `sessionFile` counts when
 * its folder is named `sessions`.
 * @returns null when neither can name a file.
 */
export function transcriptFileOf(sessionId: string, sessionFile: unknown, sessionsDir?: string): string | null {
  const named = typeof sessionFile === 'string' ? insideSessionsDir(sessionFile, sessionsDir) : undefined;
  if (named !== undefined && isTranscriptName(named)) return named;
  return isSessionId(sessionId) ? transcriptFileName(sessionId) : null;
}

function isTranscriptName(file: string): boolean {
  return file.endsWith(SUFFIX) && !file.endsWith(`.trajectory${SUFFIX}`);
}

/**
 * The part of `sessionFile` below the sessions directory: a file in it, or in its `transcripts`
 * folder. Undefined for everything else: other folders, other agents, `..`, hidden files.
 */
export function insideSessionsDir(sessionFile: string, sessionsDir?: string): string | undefined {
  const segments = segmentsOf(sessionFile);
  if (segments === undefined) return undefined;
  const below = sessionFile.startsWith('/') ? belowSessionsDir(segments, sessionsDir) : segments;
  if (below === undefined) return undefined;
  const [first = '', second] = below;
  if (below.length === 1) return isFileName(first) ? first : undefined;
  return below.length === 2 && first === TRANSCRIPTS_DIR && second !== undefined && isFileName(second) ? `${first}/${second}` : undefined;
}

/** Undefined for a path that climbs. */
function segmentsOf(path: string): string[] | undefined {
  if (path.endsWith('/')) return undefined;
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  return segments.includes('..') ? undefined : segments;
}

function belowSessionsDir(segments: readonly string[], sessionsDir: string | undefined): readonly string[] | undefined {
  if (sessionsDir === undefined) {
    const dir = segments.at(-2) === TRANSCRIPTS_DIR ? segments.length - 3 : segments.length - 2;
    return segments[dir] === 'sessions' ? segments.slice(dir + 1) : undefined;
  }
  const dir = segmentsOf(sessionsDir.replace(/\/+$/, ''));
  if (dir === undefined || !dir.every((segment, index) => segments[index] === segment)) return undefined;
  return segments.slice(dir.length);
}

function isFileName(name: string): boolean {
  return name !== '' && !name.startsWith('.') && name.length <= FILE_NAME_LENGTH_MAX && !/[\\\u0000-\u001f]/.test(name);
}

/** Why a file was set aside. */
export type ArchiveKind = 'reset' | 'deleted' | 'bak';

export interface ArchiveName {
  /** Name of the file before it was set aside. */
  readonly base: string;
  readonly kind: ArchiveKind;
  /** When it was set aside, epoch milliseconds. */
  readonly atMs: number;
}

const ARCHIVE = /^(.+)\.(reset|deleted|bak)\.(\d{4}-\d{2}-\d{2})T(\d{2})-(\d{2})-(\d{2})(\.\d{3})?Z$/s;

/**
 * Reads the name of an archive, with or without milliseconds in its stamp.
 * @returns undefined for other names, and for a stamp that is no time.
 */
export function parseArchiveName(name: string): ArchiveName | undefined {
  const match = ARCHIVE.exec(name);
  if (match === null) return undefined;
  const [, base = '', kind, day, hour, minute, second, fraction = '.000'] = match;
  const iso = `${day ?? ''}T${hour ?? ''}:${minute ?? ''}:${second ?? ''}${fraction}Z`;
  const atMs = Date.parse(iso);
  if (!Number.isFinite(atMs) || new Date(atMs).toISOString() !== iso) return undefined;
  return { base, kind: kind as ArchiveKind, atMs };
}

/** `<base>.<kind>.<YYYY-MM-DDTHH-MM-SS.mmmZ>`, the stamp in UTC. */
export function archiveName({ base, kind, atMs }: ArchiveName): string {
  return `${base}.${kind}.${fileStamp(atMs)}`;
}

/** The name of the first free millisecond from `atMs` on: an archive is never overwritten. */
export function freeArchiveName(archive: ArchiveName, isTaken: (name: string) => boolean): string {
  for (let { atMs } = archive; ; atMs += 1) {
    const name = archiveName({ ...archive, atMs });
    if (!isTaken(name)) return name;
  }
}

/** An instant as file names spell it. */
export function fileStamp(atMs: number): string {
  return new Date(atMs).toISOString().replaceAll(':', '-');
}

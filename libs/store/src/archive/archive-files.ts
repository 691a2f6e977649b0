/**
 * Which names in a store's directory are archives, and where a file goes when it is set aside. An
 * archive stands beside the file that it was, so that its name tells where it belongs.
 */
import { createHash } from 'node:crypto';
import * as path from 'node:path';
import { SessionError, archiveName, insideSessionsDir, parseArchiveName, type ArchiveKind } from '@sessions/domain';
import { hasErrorCode, type FileSystem } from '../files/file-system';

/** Milliseconds that are tried for a name that nobody has. */
const NAMES_TRIED_MAX = 10_000;
/** Of one name in a directory, on every file system that a store is likely to stand on. */
const NAME_BYTES_MAX = 255;
/** What an archive's name has behind that of its file, at most: `.deleted.` and the stamp. */
const ARCHIVE_END_BYTES = '.deleted.2026-01-01T00-00-00.000Z'.length;

export interface ArchiveFile {
  readonly kind: ArchiveKind;
  /** Name inside the store's directory that the file had. */
  readonly original: string;
  /** When it was set aside, by its name. */
  readonly atMs: number;
}

/** @returns undefined for every name that is no archive of a store: only such files are ever removed or brought back. */
export function readArchiveFile(file: string): ArchiveFile | undefined {
  if (insideSessionsDir(file) !== file) return undefined;
  const { dir, base } = path.posix.parse(file);
  const name = parseArchiveName(base);
  if (name === undefined) return undefined;
  const original = path.posix.join(dir, name.base);
  // What a restore would write to must be a name that a transcript or a sidecar can have.
  return insideSessionsDir(original) === original && /\.(?:jsonl|json)$/.test(original) ? { kind: name.kind, original, atMs: name.atMs } : undefined;
}

/** A transcript that lines may be appended to; sidecars and archives are written by nobody of this store. */
export function isLiveTranscript(file: string): boolean {
  return file.endsWith('.jsonl') && !file.endsWith('.trajectory.jsonl') && readArchiveFile(file) === undefined;
}

/** @throws VALIDATION */
export function assertArchiveFile(file: string): ArchiveFile {
  const archive = readArchiveFile(file);
  if (archive !== undefined) return archive;
  throw new SessionError('VALIDATION', 'the name is not that of an archive of this store', { facts: { fileLength: file.length } });
}

/**
 * The name of a file as its archive begins: itself, or where that leaves no room for the rest, which
 * happens to a transcript that another program named, its beginning and a hash of all of it. A restore
 * finds the whole name in the manifest.
 */
export function archivedBase(base: string): string {
  const room = NAME_BYTES_MAX - ARCHIVE_END_BYTES;
  const bytes = Buffer.from(base, 'utf8');
  if (bytes.length <= room) return base;
  const end = `~${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}${/(?:\.trajectory)?\.jsonl?$/.exec(base)?.[0] ?? ''}`;
  // A character that the cut goes through is left out whole.
  return `${bytes.toString('utf8', 0, room - end.length).replace(/\ufffd+$/, '')}${end}`;
}

/** @returns the archive name with the first millisecond from `atMs` on that nobody has taken. */
export async function freeArchiveFile(fs: FileSystem, dir: string, file: string, kind: ArchiveKind, atMs: number): Promise<string> {
  const { dir: folder, base: name } = path.posix.parse(file);
  const base = archivedBase(name);
  for (let tried = 0; tried < NAMES_TRIED_MAX; tried += 1) {
    const archive = path.posix.join(folder, archiveName({ base, kind, atMs: atMs + tried }));
    if (!(await isTaken(fs, path.join(dir, archive)))) return archive;
  }
  throw new SessionError('INTERNAL', `no free archive name within ${NAMES_TRIED_MAX} ms`, { facts: { kind } });
}

/**
 * A directory or a link takes a name as well.
 * @throws ENAMETOOLONG on a file system with shorter names, where no later stamp is any better
 */
async function isTaken(fs: FileSystem, file: string): Promise<boolean> {
  try {
    return (await fs.identify(file)) !== undefined;
  } catch (error) {
    if (hasErrorCode(error, 'ENAMETOOLONG')) throw error;
    return true;
  }
}

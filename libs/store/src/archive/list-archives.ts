/** What can be brought back: the lines of the archive manifest, newest first, with what became of their files. Reads only. */
import { constants } from 'node:fs';
import * as path from 'node:path';
import { normaliseSessionKey, type ArchiveKind, type JsonValue } from '@sessions/domain';
import { hasErrorCode, type FileSystem } from '../files/file-system';
import type { StoreLayout } from '../files/layout';
import { byteSourceOf } from '../transcript/byte-source';
import { linesBackwards } from '../transcript/backward-reader';
import { isLiveTranscript, readArchiveFile } from './archive-files';
import { parseManifestLine, type ArchivedFile, type ManifestLine } from './manifest';

export const ARCHIVES_LIMIT_MAX = 1000;
/** Manifest lines that one page looks at; a page may therefore be empty and have a next one. */
const LINES_PER_PAGE_MAX = 10_000;

export interface ArchiveQuery {
  /** Only archives of these keys, in whatever case their rows had them; absent: all. */
  readonly keys?: ReadonlySet<string>;
  /** `nextBefore` of the page before. */
  readonly before?: number;
  readonly limit: number;
  /** Lines too that tell only that a key went on to what was brought back: no archives of their own. */
  readonly withMoves?: boolean;
}

export interface ListedArchive {
  readonly kind: ArchiveKind;
  /** The transcript, or the first file of a line without one; undefined: an entry alone, whose files stayed. */
  readonly main: ArchivedFile | undefined;
  /** All files of the line. */
  readonly files: readonly ArchivedFile[];
  readonly atMs: number;
  readonly reason: string;
  readonly key: string | null;
  readonly sessionId: string | null;
  readonly entry?: JsonValue;
  readonly kept?: ManifestLine['kept'];
  /** The file stands under that name, with that length; or there is an entry to bring back. */
  readonly isThere: boolean;
}

export interface ArchivePage {
  readonly archives: readonly ListedArchive[];
  readonly nextBefore?: number;
}

export async function listArchives(fs: FileSystem, layout: StoreLayout, query: ArchiveQuery): Promise<ArchivePage> {
  let fd: number;
  try {
    fd = await fs.open(layout.manifestFile, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return { archives: [] };
    throw error;
  }
  try {
    const archives: ListedArchive[] = [];
    let looked = 0;
    const end = Math.min(query.before ?? Number.MAX_SAFE_INTEGER, await fs.size(fd));
    for await (const batch of linesBackwards(byteSourceOf(fs, fd), end)) {
      for (const { content, offset } of batch) {
        looked += 1;
        const line = content === undefined ? undefined : parseManifestLine(content.toString('utf8'));
        const isAsked = query.keys === undefined || (line?.key !== null && line?.key !== undefined && isKeyAmong(line.key, query.keys));
        const archive = line === undefined || !isAsked ? undefined : ((await listed(fs, layout, line)) ?? (query.withMoves === true ? moveOf(line) : undefined));
        if (archive !== undefined) archives.push(archive);
        if ((archives.length >= query.limit || looked >= LINES_PER_PAGE_MAX) && offset > 0) return { archives, nextBefore: offset };
      }
    }
    return { archives };
  } finally {
    await fs.close(fd);
  }
}

/** The row is gone: nothing but its line knows how the key was spelled. */
export function isKeyAmong(key: string, keys: ReadonlySet<string>): boolean {
  return keys.has(key) || keys.has(normaliseSessionKey(key));
}

function listed(fs: FileSystem, layout: StoreLayout, line: ManifestLine): Promise<ListedArchive | undefined> {
  return toListed(line, async ({ to, bytes }) => (await fs.identify(path.join(layout.dir, to)).catch(() => undefined))?.size === bytes);
}

/** A line about a row from which nothing was set aside: its key went on to what was brought back. */
function moveOf({ at, reason, key, sessionId, entry, files }: ManifestLine): ListedArchive | undefined {
  return files.length > 0 || entry === undefined ? undefined : { kind: 'deleted', main: undefined, files, atMs: at, reason, key, sessionId, entry, isThere: false };
}

/** @returns undefined for a line that is of no archive. */
export async function toListed(line: ManifestLine, isThere: (file: ArchivedFile) => Promise<boolean>): Promise<ListedArchive | undefined> {
  const { files, at, reason, key, sessionId, entry, kept } = line;
  const main = files.find(({ from }) => isLiveTranscript(from)) ?? files[0];
  // What was only brought back or removed is no archive.
  if (main === undefined) return line.gone !== undefined || entry === undefined ? undefined : { kind: 'deleted', main, files, atMs: at, reason, key, sessionId, entry, isThere: true };
  const name = readArchiveFile(main.to);
  if (name === undefined) return undefined;
  return { kind: name.kind, main, files, atMs: at, reason, key, sessionId, ...(entry === undefined ? {} : { entry }), ...(kept === undefined ? {} : { kept }), isThere: await isThere(main) };
}

/** Checks what lies in a sessions directory besides the rows' transcripts: names, locks, archives. Reads only. */
import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import * as path from 'node:path';
import { SessionError } from '@sessions/domain';
import { errorCodeOf } from '../files/error-code';
import { nodeFileSystem } from '../files/file-system';
import type { StoreLayout } from '../files/layout';
import { openInside } from '../files/safe-path';
import { inspectTranscriptLock } from '../files/transcript-lock';
import { scanTranscript } from '../transcript/scan-transcript';
import { readArtifactName } from './artifact-name';
import type { FindingList } from './findings';
import type { RowVerifier } from './row-verifier';
import type { VerifyTotals } from './verify-store';

const HASH_CHUNK_BYTES = 1024 * 1024;
/** Folders of the original that hold no sessions of their own, and the one that may. */
const KNOWN_FOLDERS: ReadonlySet<string> = new Set(['skills-prompts']);
const TRANSCRIPTS_FOLDER = 'transcripts';

export interface DirectoryParts {
  readonly layout: StoreLayout;
  readonly list: FindingList;
  readonly totals: VerifyTotals;
  readonly rows: RowVerifier;
  /** False when the rows could not be read: then nothing is called an orphan. */
  readonly rowsComplete: boolean;
  /** True when a record of the journal or other open work names this session id. */
  readonly namedElsewhere: (sessionId: string) => boolean;
  /** Files that an interrupted operation is about. */
  readonly unfinished: ReadonlySet<string>;
  /** Archives that the manifest names; filled by `verifyManifest`. */
  readonly listed: Set<string>;
  readonly nowMs: () => number;
  readonly onName: () => void;
}

/** Looks at every name once. Call after the rows, whose names it needs, and after the manifest. */
export async function verifyNames(parts: DirectoryParts, folder = ''): Promise<void> {
  let directory;
  try {
    directory = await opendir(path.join(parts.layout.dir, folder));
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return;
    throw error;
  }
  for await (const item of directory) {
    parts.onName();
    await verifyName(parts, folder, item);
  }
}

async function verifyName(parts: DirectoryParts, folder: string, item: Dirent): Promise<void> {
  const { layout, list } = parts;
  const file = path.join(folder, item.name);
  const place = path.join(layout.dir, file);
  if (place === layout.sessionsFile || place === layout.ownDir) return;
  if (item.name.endsWith('.lock')) return verifyLock(parts, file);
  if (item.isDirectory()) {
    if (folder === '' && item.name === TRANSCRIPTS_FOLDER) return verifyNames(parts, TRANSCRIPTS_FOLDER);
    if (!KNOWN_FOLDERS.has(item.name) && !item.name.startsWith('.store')) list.add('unknown-name', 'a directory that nothing explains', { file });
    return;
  }
  if (!item.isFile()) {
    // A row's own transcript has been reported with its row.
    if (!parts.rows.explains(file)) list.add('not-a-regular-file', 'a link or device; it is never followed', { file });
    return;
  }
  const { kind, sessionId } = readArtifactName(item.name);
  if (kind === 'unknown') list.add('unknown-name', 'a file that nothing explains; it is never touched', { file });
  else if (kind === 'archive' && !parts.listed.has(file) && !parts.unfinished.has(file)) list.add('archive-unlisted', 'no line of the manifest names this archive; it is restored by its name', { file });
  else if (kind === 'temp') list.add('temp-file', 'left by a write that did not end; removed at a start when older than 5 minutes', { file });
  else if (sessionId !== undefined && parts.rowsComplete && !isExplained(parts, file, sessionId)) {
    parts.totals.orphans += 1;
    list.add('orphan', `no row names this ${kind}`, { file });
  }
}

function isExplained(parts: DirectoryParts, file: string, sessionId: string): boolean {
  return parts.rows.explains(file) || parts.rows.explains(sessionId) || parts.namedElsewhere(sessionId);
}

async function verifyLock(parts: DirectoryParts, file: string): Promise<void> {
  try {
    const found = await inspectTranscriptLock(path.join(parts.layout.dir, file), { fs: nodeFileSystem, epoch: 0, nowMs: parts.nowMs });
    if (found.state !== 'dead') return;
    const who = found.holder ? `process ${found.holder.pid}` : 'nobody that can be read';
    parts.list.add('dead-lock', `left by ${who} (${found.reason}); the next writer removes it`, { file });
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    parts.list.add('lock-not-a-file', 'a link or directory stands where a transcript lock would', { file });
  }
}

/** Reads the archive manifest, and compares the archives that are still there with it. */
export async function verifyManifest(parts: Pick<DirectoryParts, 'layout' | 'list' | 'totals' | 'rows' | 'unfinished' | 'listed'>): Promise<void> {
  const { layout, list } = parts;
  const file = path.relative(layout.dir, layout.manifestFile);
  const manifest = await openInside(layout.dir, file);
  if (!manifest) return;
  /** The newest line about a file counts: names are never reused for other bytes while the file is there. A line may say that archives have left. */
  const expected = new Map<string, { readonly bytes: number; readonly sha256: string }>();
  try {
    const scan = await scanTranscript(manifest, {
      onLine: ({ facts }) => {
        if (!facts) return;
        const { sessionId, files, gone } = facts.record;
        if (typeof sessionId === 'string') parts.rows.explain(sessionId);
        for (const archived of Array.isArray(files) ? (files as readonly unknown[]) : []) {
          const entry = readArchived(archived);
          if (entry) expected.set(path.relative(layout.dir, path.resolve(layout.dir, entry.to)), entry);
        }
        for (const name of Array.isArray(gone) ? (gone as readonly unknown[]) : []) if (typeof name === 'string') expected.delete(name);
      },
    });
    if (scan.malformedLines > 0) list.add('manifest-malformed', `${scan.malformedLines} of ${scan.lines} lines of the archive manifest cannot be read`, { file });
  } finally {
    await manifest.close();
  }
  for (const [archive, { bytes, sha256 }] of expected) {
    parts.listed.add(archive);
    if (!parts.unfinished.has(archive)) await verifyArchive(parts, archive, bytes, sha256);
  }
}

async function verifyArchive(parts: Pick<DirectoryParts, 'layout' | 'list' | 'totals'>, file: string, bytes: number, sha256: string): Promise<void> {
  const { layout, list, totals } = parts;
  let handle;
  try {
    handle = await openInside(layout.dir, file);
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    list.add('archive-differs', 'the manifest names an archive that is not a regular file of this store', { file });
    return;
  }
  // Retention and restore say in the manifest what they take away.
  if (!handle) {
    list.add('archive-missing', 'the manifest names an archive that is not there: another program removed it, or it is lost', { file });
    return;
  }
  try {
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(HASH_CHUNK_BYTES);
    let position = 0;
    for (;;) {
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, position);
      if (bytesRead === 0) break;
      hash.update(chunk.subarray(0, bytesRead));
      position += bytesRead;
    }
    totals.archives += 1;
    totals.archiveBytes += position;
    if (position !== bytes) list.add('archive-differs', `the archive has ${position} bytes, the manifest says ${bytes}`, { file });
    else if (hash.digest('hex') !== sha256) list.add('archive-differs', 'the bytes of the archive are not those that were set aside', { file });
  } finally {
    await handle.close();
  }
}

function readArchived(value: unknown): { to: string; bytes: number; sha256: string } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { to, bytes, sha256 }: { to?: unknown; bytes?: unknown; sha256?: unknown } = value;
  return typeof to === 'string' && typeof bytes === 'number' && typeof sha256 === 'string' ? { to, bytes, sha256 } : undefined;
}

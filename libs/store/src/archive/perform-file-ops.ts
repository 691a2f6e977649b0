/**
 * Makes the names of one store's files what a journal record says, at its time and again in recovery.
 * Every step can be done twice, and a file never loses its last name:
 *
 *     set aside / replace   sync the file → link the archive name → sync the directory
 *     all                   manifest lines, synced
 *     set aside             unlink the old name                                          ┐
 *     bring back            link the transcript's name → sync the directory → unlink     │ → sync the
 *     replace               rename the staged file over the old name                     │   directory
 *     remove                unlink the archive                                           ┘
 *
 * Operations of several records are performed side by side: each goes through its own steps in order, and
 * those that wait for the same sync share one.
 *
 * A crash leaves a file under both names or under the new one; nothing acknowledged can be lost. Before
 * each step that takes a name away the fence is asked: a stopped owner that wakes up takes none.
 */
import { constants } from 'node:fs';
import * as path from 'node:path';
import { believeSync } from '../files/believe-sync';
import { syncDirectoryTogether } from '../files/directory-syncs';
import { hasErrorCode, type FileSystem } from '../files/file-system';
import type { StoreLayout } from '../files/layout';
import { assertRealDirectory } from '../files/real-directories';
import type { BringBackOp, FileOp, ReplaceOp, SetAsideOp, UnlinkOp } from '../journal/codec';
import type { StoreNotice } from '../session-index/worker-protocol';
import { freeArchiveFile, readArchiveFile } from './archive-files';
import { hasContent } from './hash-file';
import { appendManifestLines } from './manifest';

export interface FileOpsPlace {
  readonly fs: FileSystem;
  readonly layout: StoreLayout;
  /** Throws when a newer owner is known. */
  readonly fence: () => void;
  readonly onNotice: (notice: StoreNotice) => void;
}

type Ops<Name extends FileOp['op']> = readonly Extract<FileOp, { op: Name }>[];

/** @param again an earlier try may have come anywhere. @throws the file system's error; OUTCOME_UNKNOWN for a failed sync. */
export async function performFileOps(place: FileOpsPlace, ops: readonly FileOp[], again: boolean): Promise<void> {
  const of = <Name extends FileOp['op']>(name: Name): Ops<Name> => ops.filter((op): op is Extract<FileOp, { op: Name }> => op.op === name);
  const aside = of('aside');
  const replaced = await notInstalled(place, of('replace'));
  const back = of('back');
  const removed = of('unlink');
  const keeping = [...aside, ...replaced.flatMap(({ file, keptAs, bytes, sha256 }): SetAsideOp[] => (keptAs === undefined ? [] : [{ op: 'aside', file, to: keptAs, bytes, sha256 }]))];
  const moves = [...keeping.map((op) => op.file), ...replaced.map((op) => op.file), ...back.flatMap((op) => [op.archive, op.file]), ...removed.map((op) => op.archive)];
  for (const folder of new Set(moves.map((file) => path.dirname(path.join(place.layout.dir, file))))) await assertRealDirectory(folder);
  const names = new Map<string, string>();
  for (const op of keeping) names.set(op.file, await keep(place, op, again));
  await syncFolders(place, keeping.map((op) => op.file));
  await appendManifestLines(place.fs, place.layout.manifestFile, of('manifest').map(({ line }) => renamed(line, keeping, names)), again);
  if (of('manifest').length > 0) await syncDirectoryTogether(place.fs, place.layout.ownDir);
  for (const op of aside) await takeName(place, op, names.get(op.file) ?? op.to, again);
  await syncFolders(place, aside.map((op) => op.file));
  for (const op of back) await bringBack(place, op, again);
  for (const op of replaced) await install(place, op);
  for (const op of removed) await removeArchive(place, op);
  await syncFolders(place, [...back.map((op) => op.archive), ...replaced.map((op) => op.file), ...removed.map((op) => op.archive)]);
}

/** Where the staged file has gone it has taken its place, and what has the name now is not what was there. */
async function notInstalled({ fs, layout }: FileOpsPlace, ops: readonly ReplaceOp[]): Promise<ReplaceOp[]> {
  const open: ReplaceOp[] = [];
  for (const op of ops) if (await isThere(fs, path.join(layout.ownDir, op.staged))) open.push(op);
  return open;
}

/** Gives the file its second name. @returns the name; another one than planned where a foreign file has taken that. */
async function keep(place: FileOpsPlace, op: SetAsideOp, again: boolean): Promise<string> {
  const { fs, layout, onNotice } = place;
  const from = path.join(layout.dir, op.file);
  let to = op.to;
  for (;;) {
    const source = await openIfThere(fs, from);
    if (source === 'not-a-file') {
      onNotice({ kind: 'damage', message: 'what stands where a file was to be set aside is no regular file; it stays', path: from });
      return to;
    }
    if (source === undefined) {
      if (!(await isThere(fs, path.join(layout.dir, to)))) onNotice({ kind: 'damage', message: 'a file that was to be set aside is gone', path: from });
      return to;
    }
    try {
      await believeSync(from, fs.fdatasync(source));
    } finally {
      await fs.close(source);
    }
    try {
      place.fence();
      await fs.link(from, path.join(layout.dir, to));
      return to;
    } catch (error) {
      if (!hasErrorCode(error, 'EEXIST')) throw error;
      if (await isSameFile(fs, from, path.join(layout.dir, to))) return to;
      // A copy of an interrupted store has two files where there was one with two names.
      if (again && (await hasContent(fs, path.join(layout.dir, to), op))) return to;
      const name = readArchiveFile(op.to);
      if (name === undefined) throw error;
      to = await freeArchiveFile(fs, layout.dir, op.file, name.kind, name.atMs);
    }
  }
}

/** Takes the old name away once the file has its archive's. */
async function takeName({ fs, layout, fence }: FileOpsPlace, op: SetAsideOp, archive: string, again: boolean): Promise<void> {
  const from = path.join(layout.dir, op.file);
  const isSame = await isSameFile(fs, from, path.join(layout.dir, archive));
  if (!isSame && !(again && (await hasContent(fs, from, op)) && (await hasContent(fs, path.join(layout.dir, archive), op)))) return;
  fence();
  await unlinkIfThere(fs, from);
}

async function bringBack({ fs, layout, fence, onNotice }: FileOpsPlace, op: BringBackOp, again: boolean): Promise<void> {
  const from = path.join(layout.dir, op.archive);
  const to = path.join(layout.dir, op.file);
  try {
    fence();
    await fs.link(from, to);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) {
      if (!(await isThere(fs, to))) onNotice({ kind: 'damage', message: 'an archive that was to be brought back is gone', path: from });
      return;
    }
    if (!hasErrorCode(error, 'EEXIST')) throw error;
    if (!(await isSameFile(fs, from, to)) && !(again && (await hasContent(fs, to, op)))) {
      onNotice({ kind: 'oddity', message: 'a file stands where an archive was to be brought back; the archive stays', path: from });
      return;
    }
  }
  await syncDirectoryTogether(fs, path.dirname(to));
  fence();
  await unlinkIfThere(fs, from);
}

async function install({ fs, layout, fence }: FileOpsPlace, op: ReplaceOp): Promise<void> {
  fence();
  await fs.rename(path.join(layout.ownDir, op.staged), path.join(layout.dir, op.file));
  await syncDirectoryTogether(fs, layout.ownDir);
}

async function removeArchive({ fs, layout, fence }: FileOpsPlace, { archive }: UnlinkOp): Promise<void> {
  // The journal is ours; a name in it that is no archive's was put there by nobody.
  if (readArchiveFile(archive) === undefined) return;
  fence();
  await unlinkIfThere(fs, path.join(layout.dir, archive));
}

async function syncFolders({ fs, layout }: FileOpsPlace, files: readonly string[]): Promise<void> {
  for (const folder of new Set(files.map((file) => path.dirname(path.join(layout.dir, file))))) await syncDirectoryTogether(fs, folder);
}

/** The manifest names files as they are called. */
function renamed(line: string, keeping: readonly SetAsideOp[], names: ReadonlyMap<string, string>): string {
  let text = line;
  for (const { file, to } of keeping) {
    const name = names.get(file);
    if (name !== undefined && name !== to) text = text.replace(`"to":${JSON.stringify(to)}`, () => `"to":${JSON.stringify(name)}`);
  }
  return text;
}

async function openIfThere(fs: FileSystem, file: string): Promise<number | 'not-a-file' | undefined> {
  try {
    return await fs.open(file, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    if (hasErrorCode(error, 'ELOOP', 'EISDIR', 'ENXIO')) return 'not-a-file';
    throw error;
  }
}

async function isThere(fs: FileSystem, file: string): Promise<boolean> {
  return (await inodeOf(fs, file)) !== undefined;
}

/** Of a regular file; undefined for all else. */
async function inodeOf(fs: FileSystem, file: string): Promise<bigint | undefined> {
  return (await fs.identify(file).catch(() => undefined))?.inode;
}

async function isSameFile(fs: FileSystem, one: string, other: string): Promise<boolean> {
  const inode = await inodeOf(fs, one);
  return inode !== undefined && inode === (await inodeOf(fs, other));
}

async function unlinkIfThere(fs: FileSystem, file: string): Promise<void> {
  try {
    await fs.unlink(file);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
  }
}

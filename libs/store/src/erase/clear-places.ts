/**
 * Clears every place of a closed store of the subject, then reads all of it again. Synchronous, in the
 * worker thread, under the store's lock. Each step can be done twice; none leaves half a file under a
 * name that counts: what changes is written aside, synced, and renamed.
 *
 * What is beyond it: blocks that the file system has freed and not yet written again, copies and
 * backups outside of the store's directory, and what other sessions quote.
 */
import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { cleansingOf, isJsonObject, patchRawObject, readRawMembers, type EraseSubject, type NameTest } from '@sessions/domain';
import { onOneLine, parseManifestLine, type ManifestLine } from '../archive/manifest';
import { hasErrorCode } from '../files/file-system';
import { segmentFileName, type StoreLayout } from '../files/layout';
import { aboutSubject, lineNames } from './about-subject';
import { eraseRows } from './erase-rows';
import type { EraseSeeds, PlaceCount } from './erasure-order';
import { CHUNK_BYTES, Needles } from './needles';
import { probesOf, PROBES_MAX } from './probes';
import { relocatedFile } from './relocated-file';
import { RELOCATED_TEMP_SUFFIX } from '../trajectory/trajectory-writer';
import { openRegular, storeTree, type TreeFile } from './store-tree';
import { Counts, isNamedAfter, needlesOf, storedNames } from './survey';

const FILE_MODE = 0o600;
/** Files that are named where something is left. */
const LEFT_NAMED_MAX = 100;

export interface ClearRequest {
  readonly layout: StoreLayout;
  readonly subject: EraseSubject;
  readonly seeds: EraseSeeds;
  readonly leftOut: readonly string[];
  /** Of the owner that clears. */
  readonly epoch: number;
  readonly nativeBinding?: string;
}

export interface ClearedStore {
  readonly places: readonly PlaceCount[];
  readonly scannedFiles: number;
  readonly scannedBytes: number;
  readonly needles: number;
  /** Files in which the subject still stands: such that nobody knows, or that could not be changed. */
  readonly left: readonly string[];
  /** Sessions of others that hold lines of the subject word for word, such as forks. */
  readonly copies: readonly string[];
}

export function clearPlaces(request: ClearRequest): ClearedStore {
  const { layout, subject, seeds } = request;
  const leftOut = new Set(request.leftOut);
  const needles = needlesOf(subject, seeds.keys, seeds.sessionIds, storedNames(layout));
  const about = aboutSubject(subject, seeds, needles);
  const counts = new Counts();
  const own = new Set(seeds.files);
  const tree = storeTree(layout, leftOut);
  const probes = probesOf(tree.filter(({ file }) => own.has(file)).map(({ file }) => path.join(layout.dir, file)));
  for (const one of tree) clearFile(request, one, { own, about, needles, counts });
  layNextSegment(layout, request, { about, needles, counts });
  const manifest = tree.find(({ place }) => place.clearing === 'manifest');
  if (manifest !== undefined) clearManifest(layout, manifest.file, { about, needles, seeds, counts });
  clearUnnamed(layout, tree, counts);
  for (const folder of new Set(tree.map(({ file }) => path.dirname(path.join(layout.dir, file))))) syncFolder(folder);
  return { places: counts.list(), ...scanAgain(layout, leftOut, { needles, seeds, probes }) };
}

interface Work {
  readonly own: ReadonlySet<string>;
  readonly about: NameTest;
  readonly needles: Needles;
  readonly counts: Counts;
}

function clearFile({ layout, seeds }: ClearRequest, { file, place }: TreeFile, { own, about, needles, counts }: Work): void {
  const full = path.join(layout.dir, file);
  const bytes = fs.lstatSync(full, { throwIfNoEntry: false })?.size;
  if (bytes === undefined) return;
  const ids = new Set(seeds.sessionIds);
  const isSubjects = (id: string): boolean => ids.has(id);
  if (place.clearing === 'always' || own.has(file)) {
    const outside = own.has(file) ? relocatedFile(full, isSubjects) : undefined;
    if (outside !== undefined) {
      counts.add('trajectories', { files: 1, bytes: fs.lstatSync(outside).size });
      fs.rmSync(outside, { force: true });
      fs.rmSync(`${outside}${RELOCATED_TEMP_SUFFIX}`, { force: true });
    }
    fs.rmSync(full, { force: true });
    // A lock says that bytes change; it is none of what was said.
    counts.add(place.name, { files: 1, bytes });
    return;
  }
  if (place.clearing === 'whole' && (isNamedAfter(file, ids) || standsIn(full, needles))) {
    fs.rmSync(full, { force: true });
    counts.add(place.name, { files: 1, bytes });
  } else if (place.clearing === 'files' || place.clearing === 'overwrite') {
    counts.add(place.name, { records: overwrite(full, needles) });
    const moved = relocatedFile(full, (id) => !isSubjects(id));
    if (moved !== undefined) counts.add('trajectories', { records: overwriteWhereAllowed(moved, needles) });
  } else if (place.clearing === 'lines') counts.add(place.name, { records: dropLines(full, about) });
}

/** Texts that wait for a run are named by its entry, and by its answer afterwards: the others belonged to what has left. */
function clearUnnamed(layout: StoreLayout, tree: readonly TreeFile[], counts: Counts): void {
  const namers = [layout.sessionsFile, ...tree.filter(({ place }) => place.clearing === 'lines').map(({ file }) => path.join(layout.dir, file))];
  for (const { file, place } of tree) {
    if (place.clearing !== 'unnamed') continue;
    const name = new Needles([path.posix.basename(file)]);
    const full = path.join(layout.dir, file);
    const bytes = fs.lstatSync(full, { throwIfNoEntry: false })?.size;
    if (bytes === undefined || namers.some((namer) => standsIn(namer, name))) continue;
    fs.rmSync(full, { force: true });
    counts.add(place.name, { files: 1, bytes });
  }
}

/** All that the journal held stands elsewhere by now; the name of an empty segment carries the sequence on. */
function layNextSegment(layout: StoreLayout, { epoch, seeds, nativeBinding }: ClearRequest, { about, needles, counts }: Omit<Work, 'own'>): void {
  const { rows, appliedSeq } = eraseRows(layout, { needles, isNamedIn: (json) => lineNames(json, about), overwritten: seeds.transcripts }, nativeBinding);
  counts.add('index', { records: rows });
  if (appliedSeq === 0) return;
  fs.closeSync(fs.openSync(path.join(layout.ownDir, segmentFileName({ epoch, firstSeq: appliedSeq + 1 })), 'w', FILE_MODE));
  syncFolder(layout.ownDir);
}

function standsIn(file: string, needles: Needles): boolean {
  const fd = needles.isEmpty ? undefined : openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return false;
  try {
    return needles.findInFile(fd, 1).length > 0;
  } finally {
    fs.closeSync(fd);
  }
}

/** As many bytes as before: offsets, counts and the shape of each line stay. @returns names overwritten */
function overwrite(file: string, needles: Needles): number {
  const fd = needles.isEmpty ? undefined : openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return 0;
  try {
    const found = needles.findInFile(fd);
    if (found.length === 0) return 0;
    replaceWith(file, (out) => {
      for (const [at, chunk] of chunksOf(fd, needles.overlap)) {
        needles.overwriteIn(chunk.bytes, !chunk.isLast);
        fs.writeSync(out, chunk.bytes, 0, chunk.keep, at);
      }
    });
    return found.length;
  } finally {
    fs.closeSync(fd);
  }
}

/** Outside of the store, where its owner may not write: the scan says then that something is left. */
function overwriteWhereAllowed(file: string, needles: Needles): number {
  try {
    return overwrite(file, needles);
  } catch (error) {
    if (hasErrorCode(error, 'EACCES', 'EPERM', 'EROFS')) return 0;
    throw error;
  }
}

/** Pieces that overlap: `keep` bytes of each are final, the rest comes again. */
function* chunksOf(fd: number, overlap: number): Generator<[position: number, chunk: { bytes: Buffer; keep: number; isLast: boolean }]> {
  const { size } = fs.fstatSync(fd);
  let carried: Buffer = Buffer.alloc(0);
  for (let position = 0; position < size; ) {
    const wanted = Math.min(CHUNK_BYTES + overlap, size - position);
    const bytes = Buffer.alloc(wanted);
    for (let done = carried.copy(bytes); done < wanted; ) {
      const count = fs.readSync(fd, bytes, done, wanted - done, position + done);
      if (count === 0) throw new Error(`a file of ${size} bytes ends at ${position + done}`);
      done += count;
    }
    const isLast = position + wanted === size;
    const keep = isLast ? wanted : wanted - overlap;
    yield [position, { bytes, keep, isLast }];
    // Changed by the reader of this piece: a name that lies across the border is overwritten already.
    carried = Buffer.from(bytes.subarray(keep));
    position += keep;
  }
}

function dropLines(file: string, about: NameTest): number {
  let dropped = 0;
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  const kept = lines.filter((line) => {
    const isAbout = line !== '' && lineNames(line, about);
    if (isAbout) dropped += 1;
    return !isAbout;
  });
  if (dropped > 0) replaceWith(file, (out) => fs.writeSync(out, Buffer.from(kept.join('\n'), 'utf8')));
  return dropped;
}

interface ManifestWork extends Omit<Work, 'own'> {
  readonly seeds: EraseSeeds;
}

/** Lines about the subject leave; others keep their length in names, and the hashes of archives that were changed follow. */
function clearManifest(layout: StoreLayout, file: string, { about, needles, seeds, counts }: ManifestWork): void {
  const full = path.join(layout.dir, file);
  const hashes = new Map(seeds.archives.map((name) => [name, hashOf(path.join(layout.dir, name))] as const));
  const own = new Set(seeds.files);
  let changed = 0;
  const kept = fs
    .readFileSync(full, 'utf8')
    .split('\n')
    .flatMap((text) => {
      const line = parseManifestLine(text);
      if (line !== undefined && isLineAbout(line, about, own)) {
        changed += 1;
        return [];
      }
      const clean = withoutNames(text, line, about);
      const bytes = Buffer.from(clean, 'utf8');
      changed += needles.overwriteIn(bytes) + (clean === text ? 0 : 1);
      return [withHashes(bytes.toString('utf8'), line, hashes)];
    });
  const after = Buffer.from(kept.join('\n'), 'utf8');
  if (!after.equals(fs.readFileSync(full))) replaceWith(full, (out) => fs.writeSync(out, after));
  counts.add('manifest', { records: changed });
}

function isLineAbout({ key, sessionId, files }: ManifestLine, about: NameTest, own: ReadonlySet<string>): boolean {
  return (key !== null && about(key)) || (sessionId !== null && about(sessionId)) || files.some(({ from, to }) => own.has(from) || own.has(to));
}

/** The entry that an archive of another comes back with, without what names the subject; all else as it stood. */
function withoutNames(text: string, line: ManifestLine | undefined, about: NameTest): string {
  const patch = isJsonObject(line?.entry) ? cleansingOf(line.entry, about) : undefined;
  const entry = patch === undefined ? undefined : readRawMembers(text).findLast(({ name }) => name === 'entry');
  if (patch === undefined || entry === undefined) return text;
  return onOneLine(patchRawObject(text, { setRaw: new Map([['entry', patchRawObject(text.slice(entry.valueStart, entry.valueEnd), patch)]]) }));
}

function withHashes(text: string, line: ManifestLine | undefined, hashes: ReadonlyMap<string, string | undefined>): string {
  let result = text;
  for (const { to, sha256 } of line?.files ?? []) {
    const hash = hashes.get(to);
    if (hash !== undefined && hash !== sha256 && sha256 !== '') result = result.replace(`"sha256":"${sha256}"`, () => `"sha256":"${hash}"`);
  }
  return result;
}

function hashOf(file: string): string | undefined {
  const fd = openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return undefined;
  try {
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let count = fs.readSync(fd, chunk); count > 0; count = fs.readSync(fd, chunk)) hash.update(chunk.subarray(0, count));
    return hash.digest('hex');
  } finally {
    fs.closeSync(fd);
  }
}

/** Written beside, synced, renamed; mode and times stay, so nothing takes the file for newer than it is. */
function replaceWith(file: string, write: (fd: number) => void): void {
  const { mode, atime, mtime } = fs.lstatSync(file);
  const temp = `${file}.${process.pid}.${randomUUID()}.tmp`;
  const fd = fs.openSync(temp, 'wx', mode);
  try {
    write(fd);
    fs.futimesSync(fd, atime, mtime);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(temp, file);
  syncFolder(path.dirname(file));
}

function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, fs.constants.O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Absolute names. */
function movedTrajectories(layout: StoreLayout, tree: readonly TreeFile[]): string[] {
  return tree.flatMap(({ file }) => relocatedFile(path.join(layout.dir, file), () => true) ?? []);
}

/**
 * Every byte of the store once more: for keys and ids, and for pieces of what was said. Words that
 * another session has too are its own, and are looked for nowhere else.
 */
function scanAgain(layout: StoreLayout, leftOut: ReadonlySet<string>, { needles: names, seeds, probes }: { readonly needles: Needles; readonly seeds: EraseSeeds; readonly probes: readonly string[] }): Omit<ClearedStore, 'places'> {
  const tree = storeTree(layout, leftOut);
  const shared = new Set<string>();
  const copies: string[] = [];
  for (const { file, place } of tree) {
    if (place.clearing !== 'files') continue;
    const here = probes.filter((probe) => !shared.has(probe) && standsIn(path.join(layout.dir, file), new Needles([probe])));
    if (here.length > 0) copies.push(file);
    for (const probe of here) shared.add(probe);
  }
  const words = new Needles(probes.filter((probe) => !shared.has(probe)));
  const left: string[] = [];
  let scannedBytes = 0;
  for (const file of [...tree.map((one) => one.file), ...movedTrajectories(layout, tree)]) {
    const full = path.resolve(layout.dir, file);
    scannedBytes += fs.lstatSync(full, { throwIfNoEntry: false })?.size ?? 0;
    if (left.length < LEFT_NAMED_MAX && (names.isInText(file) || standsIn(full, names) || standsIn(full, words))) left.push(file);
  }
  return { scannedFiles: tree.length, scannedBytes, needles: new Set([...seeds.keys, ...seeds.sessionIds]).size + Math.min(probes.length, PROBES_MAX), left, copies };
}

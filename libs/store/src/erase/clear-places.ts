/**
 * Clears every place of a closed store of the subject, then reads all of it again. Synchronous, in the
 * worker thread, under the store's lock. Each step can be done twice; none leaves half a file under a
 * name that counts: what changes is written aside, synced, and renamed.
 *
 * What is beyond it: blocks that the file system has freed and not yet written again, copies and
 * backups outside of the store's directory, and what other sessions quote.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { EraseSubject, NameTest } from '@sessions/domain';
import { segmentFileName, type StoreLayout } from '../files/layout';
import { RELOCATED_TEMP_SUFFIX } from '../trajectory/trajectory-writer';
import { aboutSubject, lineNames } from './about-subject';
import { clearManifest } from './clear-manifest';
import { Counts } from './counts';
import { eraseRows } from './erase-rows';
import type { EraseSeeds, PlaceCount } from './erasure-order';
import { standsIn } from './look-in-file';
import { isCopyNaming } from './names-in-copy';
import { Needles } from './needles';
import { needlesOf } from './needles-of';
import { isNamedAfter } from './own-files';
import { probesOf } from './probes';
import { relocatedFile } from './relocated-file';
import { dropLines, overwrite, overwriteWhereAllowed, syncFolder } from './rewrite-file';
import { scanAgain } from './scan-again';
import { storeTree, type TreeFile } from './store-tree';
import { storedNames } from './stored-entries';

const FILE_MODE = 0o600;

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
  return { places: counts.list(), ...scanAgain(layout, leftOut, { about, needles, seeds, probes }) };
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
  if (place.clearing === 'whole' && (isNamedAfter(file, ids) || standsIn(full, needles) || isCopyNaming(full, about))) {
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

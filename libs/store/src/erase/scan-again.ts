/** The byte scan at the end of an erasure: what it has left, and which sessions of others say the same. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { NameTest } from '@sessions/domain';
import type { StoreLayout } from '../files/layout';
import type { ClearedStore } from './clear-places';
import type { EraseSeeds } from './erasure-order';
import { standsIn } from './look-in-file';
import { isCopyNaming } from './names-in-copy';
import { Needles } from './needles';
import { PROBES_MAX } from './probes';
import { relocatedFile } from './relocated-file';
import { storeTree, type TreeFile } from './store-tree';

/** Files that are named where something is left. */
const LEFT_NAMED_MAX = 100;

/** Absolute names. */
function movedTrajectories(layout: StoreLayout, tree: readonly TreeFile[]): string[] {
  return tree.flatMap(({ file }) => relocatedFile(path.join(layout.dir, file), () => true) ?? []);
}

/**
 * Every byte of the store once more: for keys and ids, and for pieces of what was said. Words that
 * another session has too are its own, and are looked for nowhere else.
 */
export function scanAgain(layout: StoreLayout, leftOut: ReadonlySet<string>, { about, needles: names, seeds, probes }: { readonly about: NameTest; readonly needles: Needles; readonly seeds: EraseSeeds; readonly probes: readonly string[] }): Omit<ClearedStore, 'places'> {
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
  const copiesOfEntries = new Set(tree.filter(({ place }) => place.clearing === 'whole').map(({ file }) => file));
  for (const file of [...tree.map((one) => one.file), ...movedTrajectories(layout, tree)]) {
    const full = path.resolve(layout.dir, file);
    scannedBytes += fs.lstatSync(full, { throwIfNoEntry: false })?.size ?? 0;
    if (left.length < LEFT_NAMED_MAX && (names.isInText(file) || standsIn(full, names) || standsIn(full, words) || (copiesOfEntries.has(file) && isCopyNaming(full, about)))) left.push(file);
  }
  return { scannedFiles: tree.length, scannedBytes, needles: new Set([...seeds.keys, ...seeds.sessionIds]).size + Math.min(probes.length, PROBES_MAX), left, copies };
}

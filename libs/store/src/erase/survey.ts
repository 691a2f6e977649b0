/**
 * What an erasure would take: which entries, files, lines and names in other entries are the
 * subject's. Synchronous, in the worker thread, over files that nobody changes meanwhile; writes nothing.
 *
 *     entries → their session ids → files of these names → manifest lines about them → more ids
 *     everything else: one pass over its bytes for the keys and ids that are known by then
 */
import * as path from 'node:path';
import { anyhow, asStored, cleansingOf, isJsonObject, keyTest, nativeView, parseSessionKey, peerTest, transcriptsBefore, type EntryCleansing, type EraseSubject, type JsonObject, type NameTest } from '@sessions/domain';
import type { ManifestLine } from '../archive/manifest';
import type { StoreLayout } from '../files/layout';
import { aboutSubject, lineNames } from './about-subject';
import { Counts } from './counts';
import { rowsOf } from './erase-rows';
import type { EraseSeeds, PlaceCount } from './erasure-order';
import { countIn, sizeOf } from './look-in-file';
import { isCopyNaming } from './names-in-copy';
import { needlesOf } from './needles-of';
import { isNamedAfter, ownFiles } from './own-files';
import { relocatedFile } from './relocated-file';
import { storeTree } from './store-tree';
import { earlierIdsOf, forEachEntry, namesIn, readEntries, readManifest, type SurveyedEntry } from './stored-entries';

export interface SurveyRequest {
  readonly layout: StoreLayout;
  readonly subject: EraseSubject;
  readonly seeds: EraseSeeds;
  /** Files of the erasure itself. */
  readonly leftOut: readonly string[];
  readonly nativeBinding?: string;
}

export interface EntryPatch extends EntryCleansing {
  readonly key: string;
}

export interface EraseSurvey {
  /** Something of the store is the subject's. */
  readonly found: boolean;
  /** As this store spells it. */
  readonly subject: EraseSubject;
  readonly seeds: EraseSeeds;
  /** Entries of others that name the subject. */
  readonly patches: readonly EntryPatch[];
  /** Sessions that a person shares with others: what they said there stays, without their id. */
  readonly sharedKeys: readonly string[];
  /** Keys that differ by the size of letters alone, and are another's. */
  readonly otherSpellings: readonly string[];
  readonly places: readonly PlaceCount[];
}

export function surveyErasure(request: SurveyRequest): EraseSurvey {
  const { layout, seeds, nativeBinding } = request;
  const entries = readEntries(layout);
  const manifest = readManifest(layout);
  const stored = [...entries, ...manifest].map((one) => one.key).filter((key) => key !== null);
  const subject = asStored(request.subject, stored);
  const isMeant = keyTest(subject);
  const keys = new Set([...seeds.keys, ...(subject.kind === 'session' ? [subject.key] : []), ...stored.filter(isMeant)]);
  const isSpelledAnyhow = keyTest(anyhow(subject));
  const otherSpellings = [...new Set(stored)].filter((key) => !keys.has(key) && isSpelledAnyhow(key));
  withChildren(entries, keys);
  const ids = new Set(seeds.sessionIds);
  const files = new Set(seeds.files);
  for (const entry of entries) if (keys.has(entry.key)) noteEntry(entry, ids, files);
  for (const line of manifest) {
    if (line.key === null || !keys.has(line.key)) continue;
    if (line.sessionId !== null) ids.add(line.sessionId);
    for (const { from, to } of line.files) files.add(from).add(to);
    // The entry left with the line: what it alone knew of earlier transcripts is known here only.
    const entry = isJsonObject(line.entry) ? nativeView(line.entry) : undefined;
    for (const id of earlierIdsOf(entry)) ids.add(id);
    for (const { file } of entry === undefined ? [] : transcriptsBefore(entry)) files.add(file);
  }
  // What others go on with is theirs, whatever names it besides.
  for (const { key, current, file } of entries) {
    if (keys.has(key)) continue;
    if (current !== undefined) ids.delete(current);
    if (file !== undefined) files.delete(file);
  }
  const tree = storeTree(layout, new Set(request.leftOut));
  const others = entries.filter(({ key }) => !keys.has(key));
  const kept = new Set(others.map(({ file }) => file));
  const keptBefore = new Set(others.flatMap(({ filesBefore }) => filesBefore));
  const counts = new Counts();
  const own = ownFiles(layout, tree, { keys, ids, files, kept, keptBefore });
  for (const { file, place } of own) counts.add(place.name, { files: 1, bytes: sizeOf(path.join(layout.dir, file)) });
  for (const { file } of own) {
    const outside = relocatedFile(path.join(layout.dir, file), (id) => ids.has(id));
    if (outside !== undefined) counts.add('trajectories', { files: 1, bytes: sizeOf(outside) });
  }
  const needles = needlesOf(subject, keys, ids, namesIn(entries, manifest));
  const about = aboutSubject(subject, { keys: [...keys], sessionIds: [...ids] }, needles);
  const isPeer = peerTest(subject);
  const patches: EntryPatch[] = [];
  const sharedKeys: string[] = [];
  forEachEntry(layout, (key, value) => {
    if (keys.has(key) || !isJsonObject(value)) return;
    const patch = cleansingOf(value, about);
    if (patch === undefined) return;
    patches.push({ key, ...patch });
    if (namesPeer(value, isPeer)) sharedKeys.push(key);
  });
  const taken = new Set(own.map(({ file }) => file));
  const archives = new Set(seeds.archives);
  const transcripts = new Set(seeds.transcripts);
  for (const { file, place } of tree) {
    if (taken.has(file) || place.clearing === 'entries') continue;
    const full = path.join(layout.dir, file);
    if (place.clearing === 'always') continue;
    if (place.clearing === 'database') {
      counts.add(place.name, { records: rowsOf(full, { needles, isNamedIn: (json) => lineNames(json, about) }, nativeBinding) });
      continue;
    }
    const isNamed = place.clearing === 'whole' && (isNamedAfter(file, ids) || isCopyNaming(full, about));
    const hits = (isNamed ? 1 : countIn(full, needles)) + (place.clearing === 'manifest' ? manifest.filter((line) => namesInEntry(line, keys, about)).length : 0);
    const moved = relocatedFile(full, (id) => !ids.has(id));
    if (moved !== undefined) counts.add('trajectories', { records: countIn(moved, needles) });
    if (hits === 0) continue;
    if (place.clearing === 'whole') counts.add(place.name, { files: 1, bytes: sizeOf(full) });
    else counts.add(place.name, { records: hits });
    if (place.name === 'archives') archives.add(file);
    if (place.name === 'transcripts') transcripts.add(file);
  }
  const removed = entries.filter(({ key }) => keys.has(key)).length;
  counts.add('entries', { records: removed + patches.length });
  return {
    subject,
    found: removed > 0 || own.length > 0 || counts.any(),
    seeds: { keys: [...keys], sessionIds: [...ids], files: own.map(({ file }) => file), archives: [...archives], transcripts: [...transcripts] },
    patches,
    sharedKeys,
    otherSpellings,
    places: counts.list(),
  };
}

/** The entry that an archive of another would come back with names the subject. */
function namesInEntry({ key, entry }: ManifestLine, keys: ReadonlySet<string>, about: NameTest): boolean {
  return (key === null || !keys.has(key)) && isJsonObject(entry) && cleansingOf(entry, about) !== undefined;
}

/** A sub-agent's conversation is part of the one that spawned it. */
function withChildren(entries: readonly SurveyedEntry[], keys: Set<string>): void {
  const children = entries.filter(({ spawnedBy }) => spawnedBy !== undefined);
  for (let before = -1; before !== keys.size; ) {
    before = keys.size;
    for (const { key, spawnedBy } of children) if (spawnedBy !== undefined && keys.has(spawnedBy) && parseSessionKey(key).form === 'subagent') keys.add(key);
  }
}

function noteEntry({ sessionIds, file, filesBefore }: SurveyedEntry, ids: Set<string>, files: Set<string>): void {
  for (const id of sessionIds) ids.add(id);
  for (const name of file === undefined ? filesBefore : [file, ...filesBefore]) files.add(name);
}

function namesPeer(value: JsonObject, isPeer: NameTest): boolean {
  return cleansingOf(value, isPeer) !== undefined;
}

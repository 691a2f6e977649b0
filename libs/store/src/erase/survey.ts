/**
 * What an erasure would take: which entries, files, lines and names in other entries are the
 * subject's. Synchronous, in the worker thread, over files that nobody changes meanwhile; writes nothing.
 *
 *     entries → their session ids → files of these names → manifest lines about them → more ids
 *     everything else: one pass over its bytes for the keys and ids that are known by then
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { anyhow, asStored, cleansingOf, escapedPart, familyIdsOf, isJsonObject, isSessionId, keyTest, nativeView, parseEntry, parseSessionKey, parseStoreFile, peerTest, sessionOfSuccessor, transcriptFileOf, transcriptsBefore, type EntryCleansing, type EraseSubject, type JsonObject, type JsonValue, type NameTest, type PeerName } from '@sessions/domain';
import { parseManifestLine, type ManifestLine } from '../archive/manifest';
import type { StoreLayout } from '../files/layout';
import { scanSessionsFileSync } from '../sessions-file/scan-sessions-file';
import { aboutSubject, lineNames } from './about-subject';
import { rowsOf } from './erase-rows';
import type { EraseSeeds, PlaceCount } from './erasure-order';
import { Needles, type Sender } from './needles';
import { relocatedFile } from './relocated-file';
import { openRegular, storeTree, type TreeFile } from './store-tree';

const HEADER_BYTES_MAX = 64 * 1024;

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

interface SurveyedEntry {
  readonly key: string;
  readonly spawnedBy: string | undefined;
  readonly sessionIds: readonly string[];
  readonly current: string | undefined;
  readonly file: string | undefined;
  /** Transcripts that it went on from by compactions. */
  readonly filesBefore: readonly string[];
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
  const isPeer = peerTest(subject);
  const patches: EntryPatch[] = [];
  const sharedKeys: string[] = [];
  forEachEntry(layout, (key, value) => {
    if (keys.has(key) || !isJsonObject(value)) return;
    const patch = cleansingOf(value, (text, channel) => isPeer(text, channel) || isMeant(text) || keys.has(text) || ids.has(text) || needles.isInText(text));
    if (patch === undefined) return;
    patches.push({ key, ...patch });
    if (namesPeer(value, isPeer)) sharedKeys.push(key);
  });
  const taken = new Set(own.map(({ file }) => file));
  const about = aboutSubject(subject, { keys: [...keys], sessionIds: [...ids] }, needles);
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
    const isNamed = place.clearing === 'whole' && isNamedAfter(file, ids);
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

/** Keys and ids that are long enough to mean nothing else. Runs of a job are its own; a thread is a session of its own, of the same person. */
export function needlesOf(subject: EraseSubject, keys: Iterable<string>, ids: Iterable<string>, stored: Iterable<string>): Needles {
  const [ownKeys, ownIds, isMeant] = [new Set(keys), new Set(ids), keyTest(subject)];
  const others = [...stored].filter((name) => !ownKeys.has(name) && !ownIds.has(name) && !isMeant(name));
  return new Needles(ownIds, [...ownKeys, ...addressesOf(subject)], subject.kind === 'person' ? [':run:', ':thread:', ':topic:'] : [':run:'], others, subject.kind === 'person' ? subject.peers.flatMap(sendersOf) : []);
}

/** As entries name a person, which copies of them do too. */
function addressesOf(subject: EraseSubject): readonly string[] {
  if (subject.kind === 'session') return [];
  return subject.peers.flatMap(({ channel, peerId, spelling = peerId, exact }) => (channel === undefined ? [] : [...new Set(exact === true ? [spelling] : [peerId, spelling])].map((id) => `${channel}:${id}`)));
}

/** In sessions that a person shares with others, identities of messages say who sent them. */
function sendersOf({ channel, peerId, spelling = peerId, exact }: PeerName): readonly Sender[] {
  const spellings = exact === true ? [spelling] : [...new Set([peerId, spelling, peerId.toUpperCase()])];
  return spellings.map((id) => ({ channel, id: escapedPart(id) }));
}

/** Keys and ids that the store has, or had: those of entries, and of what was removed. */
export function storedNames(layout: StoreLayout): ReadonlySet<string> {
  return namesIn(readEntries(layout), readManifest(layout));
}

function namesIn(entries: readonly SurveyedEntry[], manifest: readonly ManifestLine[]): ReadonlySet<string> {
  return new Set([...entries.flatMap(({ key, sessionIds }) => [key, ...sessionIds]), ...manifest.flatMap(({ key, sessionId }) => [key, sessionId])].filter((name) => name !== null));
}

/** Copies that were set aside begin with the name of what they were cut from, and that with the session id. */
export function isNamedAfter(file: string, ids: ReadonlySet<string>): boolean {
  const [id = ''] = path.posix.basename(file).split('.', 1);
  return [id, id.replace(/-topic-.*$/, ''), sessionOfSuccessor(id) ?? ''].some((one) => ids.has(one));
}

/** Files named after the subject's sessions, and transcripts whose header says so. */
function ownFiles(layout: StoreLayout, tree: readonly TreeFile[], known: { readonly keys: ReadonlySet<string>; readonly ids: Set<string>; readonly files: ReadonlySet<string>; readonly kept: ReadonlySet<string | undefined>; readonly keptBefore: ReadonlySet<string> }): TreeFile[] {
  const isOwn = ({ file, place }: TreeFile): boolean => {
    if (place.clearing !== 'files' || known.kept.has(file)) return false;
    const name = file.endsWith('.lock') ? file.slice(0, -'.lock'.length) : file;
    return known.files.has(name) || (parseStoreFile(name)?.sessionIds ?? []).some((id) => known.ids.has(id));
  };
  const own = tree.filter(isOwn);
  // A copy that came in under another key names the one it was begun under.
  const rest = tree.filter((one) => !own.includes(one) && one.place.clearing === 'files' && !known.kept.has(one.file) && !known.keptBefore.has(one.file));
  for (const one of rest) {
    const header = headerOf(path.join(layout.dir, one.file));
    if (header === undefined || !known.keys.has(header.key)) continue;
    known.ids.add(header.sessionId);
    own.push(one);
  }
  return own;
}

/** The entry that an archive of another would come back with names the subject. */
function namesInEntry({ key, entry }: ManifestLine, keys: ReadonlySet<string>, about: NameTest): boolean {
  return (key === null || !keys.has(key)) && isJsonObject(entry) && cleansingOf(entry, about) !== undefined;
}

/** Our own headers say under which key a transcript was begun. */
function headerOf(file: string): { readonly key: string; readonly sessionId: string } | undefined {
  const fd = openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(HEADER_BYTES_MAX);
    const count = fs.readSync(fd, bytes, 0, bytes.length, 0);
    const end = bytes.subarray(0, count).indexOf('\n');
    const value: unknown = JSON.parse(bytes.toString('utf8', 0, end === -1 ? count : end));
    if (!isJsonObject(value) || value['type'] !== 'session') return undefined;
    const { sessionKey, id } = value;
    return typeof sessionKey === 'string' && typeof id === 'string' && isSessionId(id) ? { key: sessionKey, sessionId: id } : undefined;
  } catch {
    return undefined;
  } finally {
    fs.closeSync(fd);
  }
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

/** Sessions that an entry went through. */
function earlierIdsOf(entry: JsonObject | undefined): readonly string[] {
  if (entry === undefined) return [];
  const previous = entry['previousSessionId'];
  return [...(typeof previous === 'string' ? [previous] : []), ...familyIdsOf(entry)].filter((id) => isSessionId(id));
}

function readEntries(layout: StoreLayout): SurveyedEntry[] {
  const entries: SurveyedEntry[] = [];
  forEachEntry(layout, (key, value) => {
    const view = isJsonObject(value) ? nativeView(value) : undefined;
    const parsed = parseEntry(value as JsonValue);
    const texts = (member: JsonValue | undefined): string[] => (typeof member === 'string' ? [member] : Array.isArray(member) ? (member as readonly JsonValue[]).filter((item) => typeof item === 'string') : []);
    const sessionIds = [...texts(view?.['sessionId']).filter((id) => isSessionId(id)), ...earlierIdsOf(view)];
    const current = texts(view?.['sessionId'])[0];
    const file = parsed.listed ? (parsed.file ?? undefined) : current === undefined ? undefined : (transcriptFileOf(current, view?.['sessionFile'], layout.dir) ?? undefined);
    const spawnedBy = texts(view?.['spawnedBy'])[0];
    entries.push({ key, spawnedBy, sessionIds, current, file, filesBefore: view === undefined ? [] : transcriptsBefore(view).map((one) => one.file) });
  });
  return entries;
}

function forEachEntry(layout: StoreLayout, use: (key: string, value: unknown) => void): void {
  const fd = openRegular(layout.sessionsFile, fs.constants.O_RDONLY);
  if (fd === undefined) return;
  try {
    scanSessionsFileSync(fd, ({ key, value }) => use(key, value));
  } finally {
    fs.closeSync(fd);
  }
}

function readManifest(layout: StoreLayout): ManifestLine[] {
  if (!fs.existsSync(layout.manifestFile)) return [];
  return fs
    .readFileSync(layout.manifestFile, 'utf8')
    .split('\n')
    .map((line) => parseManifestLine(line))
    .filter((line) => line !== undefined);
}

function namesPeer(value: JsonObject, isPeer: NameTest): boolean {
  return cleansingOf(value, isPeer) !== undefined;
}

function countIn(file: string, needles: Needles): number {
  if (needles.isEmpty) return 0;
  const fd = openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return 0;
  try {
    return needles.findInFile(fd).length;
  } finally {
    fs.closeSync(fd);
  }
}

function sizeOf(file: string): number {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** Counts by place, in the order in which places were met. */
export class Counts {
  readonly #byPlace = new Map<string, { files: number; bytes: number; records: number }>();

  add(place: string, { files = 0, bytes = 0, records = 0 }: Partial<Omit<PlaceCount, 'place'>>): void {
    if (files + bytes + records === 0) return;
    const sum = this.#byPlace.get(place) ?? { files: 0, bytes: 0, records: 0 };
    this.#byPlace.set(place, { files: sum.files + files, bytes: sum.bytes + bytes, records: sum.records + records });
  }

  any(): boolean {
    return this.#byPlace.size > 0;
  }

  list(): PlaceCount[] {
    return [...this.#byPlace].map(([place, sum]) => ({ place, ...sum }));
  }
}

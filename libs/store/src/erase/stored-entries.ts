/** The entries of a sessions file and the lines of the manifest, as an erasure reads them. Synchronous, for the worker thread. */
import * as fs from 'node:fs';
import { familyIdsOf, isJsonObject, isSessionId, nativeView, parseEntry, transcriptFileOf, transcriptsBefore, type JsonObject, type JsonValue } from '@sessions/domain';
import { parseManifestLine, type ManifestLine } from '../archive/manifest';
import type { StoreLayout } from '../files/layout';
import { scanSessionsFileSync } from '../sessions-file/scan-sessions-file';
import { openRegular } from './store-tree';

export interface SurveyedEntry {
  readonly key: string;
  readonly spawnedBy: string | undefined;
  readonly sessionIds: readonly string[];
  readonly current: string | undefined;
  readonly file: string | undefined;
  /** Transcripts that it went on from by compactions. */
  readonly filesBefore: readonly string[];
}

/** Keys and ids that the store has, or had: those of entries, and of what was removed. */
export function storedNames(layout: StoreLayout): ReadonlySet<string> {
  return namesIn(readEntries(layout), readManifest(layout));
}

export function namesIn(entries: readonly SurveyedEntry[], manifest: readonly ManifestLine[]): ReadonlySet<string> {
  return new Set([...entries.flatMap(({ key, sessionIds }) => [key, ...sessionIds]), ...manifest.flatMap(({ key, sessionId }) => [key, sessionId])].filter((name) => name !== null));
}

/** Sessions that an entry went through. */
export function earlierIdsOf(entry: JsonObject | undefined): readonly string[] {
  if (entry === undefined) return [];
  const previous = entry['previousSessionId'];
  return [...(typeof previous === 'string' ? [previous] : []), ...familyIdsOf(entry)].filter((id) => isSessionId(id));
}

export function readEntries(layout: StoreLayout): SurveyedEntry[] {
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

export function forEachEntry(layout: StoreLayout, use: (key: string, value: unknown) => void): void {
  const fd = openRegular(layout.sessionsFile, fs.constants.O_RDONLY);
  if (fd === undefined) return;
  try {
    scanSessionsFileSync(fd, ({ key, value }) => use(key, value));
  } finally {
    fs.closeSync(fd);
  }
}

export function readManifest(layout: StoreLayout): ManifestLine[] {
  if (!fs.existsSync(layout.manifestFile)) return [];
  return fs
    .readFileSync(layout.manifestFile, 'utf8')
    .split('\n')
    .map((line) => parseManifestLine(line))
    .filter((line) => line !== undefined);
}

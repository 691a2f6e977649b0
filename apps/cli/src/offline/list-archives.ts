/** What can be brought back, from the archive manifest and the names on disk: read only, an owner may live beside it. */
import { nativeBindingPath } from './native-binding';
import type { StoreChoice } from './select-stores';
import { storedSpellings } from '@sessions/domain';
import { openFactsReader } from '@sessions/store';
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Archives of one listing. */
const ARCHIVES_MAX = 1000;

export interface KnownArchive {
  /** Null: the archive has no line, its name alone tells of it. */
  readonly key: string | null;
  readonly sessionId: string | null;
  readonly reason: string;
  readonly atMs: number;
  /** Name inside the store's directory; empty: the entry alone was removed. */
  readonly file: string;
  readonly bytes: number | null;
  readonly restorable: boolean;
}

/** Newest first. @param key undefined: of every session. @throws STORE_UNREADABLE */
export async function listArchives({ agentId, path }: StoreChoice, key: string | undefined, nowMs: number): Promise<KnownArchive[]> {
  if (!existsSync(dirname(path))) return [];
  const { files } = await openFactsReader({ agentId, sessionsFile: path, nativeBinding: nativeBindingPath(), nowMs: () => nowMs });
  const { archives } = await files.archives({ limit: ARCHIVES_MAX, ...(key === undefined ? {} : { keys: new Set(storedSpellings(key)) }) });
  const listed = archives.map(({ key: of, sessionId, reason, atMs, main, isThere }): KnownArchive => ({ key: of, sessionId, reason, atMs, file: main?.to ?? '', bytes: main?.bytes ?? null, restorable: isThere }));
  if (key !== undefined) return listed;
  const known = new Set(archives.flatMap((archive) => archive.files.map(({ to }) => to)));
  const others = (await files.archiveNames()).filter(({ file, original }) => !known.has(file) && original.endsWith('.jsonl') && !original.endsWith('.trajectory.jsonl'));
  const named = others.map(({ file, original, kind, atMs }): KnownArchive => ({ key: null, sessionId: basename(original, '.jsonl'), reason: kind, atMs, file, bytes: null, restorable: true }));
  return [...listed, ...named].sort((left, right) => right.atMs - left.atMs);
}

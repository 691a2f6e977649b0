/** What can be brought back, from the archive manifest and the names on disk: read only, an owner may live beside it. */
import { isOwned } from './local-owner';
import { nativeBindingPath } from './native-binding';
import type { StoreChoice } from './select-stores';
import { storedSpellings } from '@sessions/domain';
import { ARCHIVES_LIMIT_MAX, isKeyAmong, openFactsReader } from '@sessions/store';
import type { FactsReader, ListedArchive } from '@sessions/store';
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Pages of the manifest that are looked through; what stands behind them is known by its name alone. */
const PAGES_MAX = 100;

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
export async function listArchives(choice: StoreChoice, key: string | undefined, nowMs: number): Promise<KnownArchive[]> {
  const { agentId, path } = choice;
  if (!existsSync(dirname(path))) return [];
  const { files, pendingArchives } = await openFactsReader({ agentId, sessionsFile: path, nativeBinding: nativeBindingPath(), nowMs: () => nowMs });
  const keys: ReadonlySet<string> | undefined = key === undefined ? undefined : new Set(storedSpellings(key));
  const written = await allArchives(files, keys);
  const isNew = ({ key: of, main, atMs }: ListedArchive): boolean =>
    (keys === undefined || (of !== null && isKeyAmong(of, keys))) && !written.some((one) => one.key === of && one.atMs === atMs && one.main?.to === main?.to);
  const archives = [...(isOwned(choice) ? [] : await pendingArchives()).filter(isNew), ...written];
  const listed = archives.map(({ key: of, sessionId, reason, atMs, main, isThere }): KnownArchive => ({ key: of, sessionId, reason, atMs, file: main?.to ?? '', bytes: main?.bytes ?? null, restorable: isThere }));
  if (key !== undefined) return listed;
  const known = new Set(archives.flatMap((archive) => archive.files.map(({ to }) => to)));
  const others = (await files.archiveNames()).filter(({ file, original }) => !known.has(file) && original.endsWith('.jsonl') && !original.endsWith('.trajectory.jsonl'));
  const named = others.map(({ file, original, kind, atMs }): KnownArchive => ({ key: null, sessionId: basename(original, '.jsonl'), reason: kind, atMs, file, bytes: null, restorable: true }));
  return [...listed, ...named].sort((left, right) => right.atMs - left.atMs);
}

async function allArchives(files: FactsReader['files'], keys: ReadonlySet<string> | undefined): Promise<ListedArchive[]> {
  const all: ListedArchive[] = [];
  let before: number | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { archives, nextBefore } = await files.archives({ limit: ARCHIVES_LIMIT_MAX, ...(keys === undefined ? {} : { keys }), ...(before === undefined ? {} : { before }) });
    all.push(...archives);
    if (nextBefore === undefined) break;
    before = nextBefore;
  }
  return all;
}

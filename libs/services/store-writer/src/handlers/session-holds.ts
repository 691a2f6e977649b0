/** Which files a request about one session has to hold, and how answers name files. */
import * as path from 'node:path';
import { isJsonObject, type ArchiveKind, type JsonObject, type JsonValue } from '@sessions/domain';
import type { AgentStore, HoldRequest } from '@sessions/store';
import type { CallContext } from '@sessions/bus';
import { filesBefore, sidecarsOf } from '../decisions/session-files';
import { entryOfKey } from './stored-session';

/** The transcript of a key, and its sidecars and the transcripts before it where they go with it; nothing for a key without a row. */
export async function holdsOf(store: AgentStore, key: string, kind: ArchiveKind, withSidecars = false): Promise<HoldRequest[]> {
  const entry = await entryOfKey(store, key);
  if (entry === undefined || entry.file === null) return [];
  const sidecars = withSidecars && entry.sessionId !== null ? sidecarsOf(entry.file, entry.sessionId) : [];
  const members: unknown = withSidecars ? JSON.parse(entry.text) : undefined;
  const before = isJsonObject(members as JsonValue) ? filesBefore(members as JsonObject, entry.file) : [];
  return [entry.file, ...sidecars, ...before].map((file) => ({ file, kind }));
}

/** Absolute paths of files of the store. */
export function pathsOf(store: AgentStore, files: readonly string[]): string[] {
  return files.map((file) => path.join(store.layout.dir, file));
}

/** Who asked, for the manifest; names no person. */
export function actorOf(context: CallContext): string {
  return context.caller === '' ? 'unknown' : context.caller;
}

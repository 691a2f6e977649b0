/**
 * One agent's store as a command without a gateway sees it: read only, nothing made or changed.
 *
 * A store that cannot be read is never an empty one (decision on unreadable stores): what comes
 * from a copy carries a warning, and where there is none the reader throws STORE_UNREADABLE.
 */
import type { SessionRow } from '@sessions/contracts';
import type { AgentId, JsonObject } from '@sessions/domain';

export interface StoredEntry {
  readonly key: string;
  /** As stored, in whichever format. */
  readonly entry: JsonObject;
  /** The row that a listing makes of it; undefined when it would not be listed. */
  readonly row: SessionRow | undefined;
  /** Transcript's name inside the store's directory; null when nothing names one. */
  readonly file: string | null;
}

export interface NewestQuery {
  /** Only entries whose `updatedAt` is a time not before this; epoch ms. Null: all. */
  readonly activeSinceMs: number | null;
  /** Entries at most. Null: all. */
  readonly limit: number | null;
  /** Count the messages of entries that nobody has counted, as far as that is cheap. */
  readonly countMessages: boolean;
}

export interface NewestPage {
  /** Newest `updatedAt` first, ties in store order; only those that a listing shows. */
  readonly rows: readonly SessionRow[];
  /** How many the query matches, before the limit. */
  readonly totalCount: number;
  /** Why the rows do not come from `sessions.json`; absent when they do. */
  readonly warning?: string;
}

export interface HistoryQuery {
  /** Messages at most. Null: all. */
  readonly limit: number | null;
  /** Only messages with a lower ordinal. */
  readonly beforeSeq: number | null;
  readonly includeTools: boolean;
}

export interface HistoryMessage {
  /** Ordinal from 1 among all message records of the transcript. */
  readonly seq: number;
  readonly role: string;
  /** When it was written, as the line says; undefined when the line does not. */
  readonly timestamp: string | undefined;
  /** As stored: the line's `message`, or the whole line of the simple format. */
  readonly message: JsonObject;
}

export interface HistoryPage {
  /** In order of the conversation, the newest last. */
  readonly messages: readonly HistoryMessage[];
  /** Messages that the query matches without its limit; null when that would need a full read. */
  readonly totalCount: number | null;
  readonly hasMore: boolean;
  /** `beforeSeq` of the next older page; null when there is none. */
  readonly nextBefore: number | null;
}

export interface FileFacts {
  /** Name inside the store's directory. */
  readonly file: string;
  readonly bytes: number;
}

export interface TranscriptFacts extends FileFacts {
  /** Lines that are not blank. */
  readonly lines: number;
  readonly messages: number;
  readonly malformedLines: number;
}

export interface SessionFiles {
  /** Null when the session has no transcript. */
  readonly transcript: TranscriptFacts | null;
  /** Trajectories, pointers, locks, compaction checkpoints. */
  readonly sidecars: readonly FileFacts[];
  /** Transcripts set aside: `.reset`, `.deleted`, `.bak`. */
  readonly archives: readonly FileFacts[];
}

export interface OfflineStore {
  readonly agentId: AgentId;
  /** Absolute path of its `sessions.json`. */
  readonly path: string;
  newest(query: NewestQuery): Promise<NewestPage>;
  /** The entry with this key, in either spelling, else with this session id. */
  find(keyOrSessionId: string): Promise<StoredEntry | undefined>;
  /** Undefined when the session has no transcript. */
  history(found: StoredEntry, query: HistoryQuery): Promise<HistoryPage | undefined>;
  files(found: StoredEntry): Promise<SessionFiles>;
}

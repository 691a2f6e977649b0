/**
 * What the main thread and the index worker say to each other. One request at a time is in flight
 * for changes; a checkpoint runs beside them and reports when its temp file is complete.
 */
import type { JsonValue, KindCosts, SearchTerm, Snippet } from '@sessions/domain';
import type { ClearedStore, ClearRequest } from '../erase/clear-places';
import type { EraseSurvey, SurveyRequest } from '../erase/survey';
import type { FileIdentity } from '../files/file-system';
import type { TranscriptTail, UsageLine } from '../types';

export type IndexChange =
  | { readonly kind: 'put'; readonly key: string; readonly text: string; readonly seq: number }
  | { readonly kind: 'remove'; readonly key: string; readonly seq: number }
  | { readonly kind: 'usage'; readonly epoch: number; readonly seq: number; /** Place among the lines of the mutation. */ readonly n: number; readonly line: UsageLine }
  | { readonly kind: 'transcript'; readonly file: string; readonly tail: TranscriptTail }
  | {
      readonly kind: 'result';
      readonly key: string;
      readonly hash: string;
      readonly result: JsonValue;
      readonly keepUntilMs: number;
      readonly seq: number;
    };

export interface OpenIndexRequest {
  readonly indexFile: string;
  readonly sessionsFile: string;
  readonly dir: string;
  readonly ownDir: string;
  readonly agentId: string;
  readonly epoch: number;
  /** Sequences the index must lie between, or it is stale and rebuilt. */
  readonly journalBaseSeq: number;
  readonly journalLastSeq: number;
  readonly nowMs: number;
  /** Default true. */
  readonly indexesTexts?: boolean;
  readonly nativeBinding?: string;
}

/** How the index came to be what it is after opening. */
export type IndexOrigin =
  | 'current'
  | 'merged-edits'
  | 'imported-file'
  | 'imported-transcripts'
  | 'new';

export interface OpenIndexReply {
  readonly origin: IndexOrigin;
  readonly appliedSeq: number;
  readonly identity: FileIdentity | undefined;
  /** True when the last owner closed in order: everything it wrote is synced. */
  readonly closedCleanly: boolean;
  readonly notices: readonly StoreNotice[];
  /** False: rows are partial (rebuilt from transcripts beside an unreadable file); mutations are refused. */
  readonly writable: boolean;
  /** True when sessions.json must be written soon because it is damaged or missing. */
  readonly rewriteDue: boolean;
}

/** Something an operator should know; never the text of a conversation. */
export interface StoreNotice {
  readonly kind: 'damage' | 'repaired' | 'rebuilt' | 'external-edit' | 'oddity';
  readonly message: string;
  readonly path?: string;
  readonly count?: number;
}

export interface MergeReply {
  readonly identity: FileIdentity | undefined;
  readonly changedKeysCount: number;
  readonly addedKeysCount: number;
  readonly removedKeysCount: number;
  readonly notices: readonly StoreNotice[];
  readonly rewriteDue: boolean;
}

export interface SearchRequest {
  readonly text: string;
  readonly channel?: string;
  readonly updatedBeforeMs?: number;
  readonly visibilities: readonly number[];
  readonly updatedSinceMs?: number;
  readonly label?: string;
  readonly spawnedBy?: string;
  readonly offset: number;
  readonly limit: number;
}

export interface SearchReply {
  readonly ids: readonly number[];
  readonly totalCount: number;
}

export interface SearchTextsRequest {
  readonly terms: readonly SearchTerm[];
  readonly channel?: string;
  /** At or after; of the message. */
  readonly sinceMs?: number;
  /** Before. */
  readonly untilMs?: number;
  readonly limit: number;
  /** Where an earlier answer ended. */
  readonly beforeId?: number;
}

/** A message of a live transcript. */
export interface TextHit extends Snippet {
  readonly key: string;
  readonly sessionId: string;
  /** `L<line>` in transcripts without ids. */
  readonly messageId: string;
  readonly messageSeq: number;
  readonly role: string;
  readonly atMs: number;
}

/** A hit of the index, which can be gone on from. */
export interface IndexedTextHit extends TextHit {
  /** As `beforeId`: what comes behind this one. */
  readonly id: number;
}

export interface SearchTextsReply {
  /** Newest first. */
  readonly hits: readonly IndexedTextHit[];
  /** Undefined: there are no more. */
  readonly nextBeforeId?: number;
  /** Some transcripts have not been read yet. */
  readonly incomplete: boolean;
}

export interface UsageQuery {
  /** `sums`: per session and over all; `lines`: as they stand in the ledger. */
  readonly view: 'sums' | 'lines';
  /** Only these keys; absent: all. */
  readonly keys?: readonly string[];
  /** At or after this instant. */
  readonly fromMs?: number;
  /** Before this instant. */
  readonly untilMs?: number;
  /** Sessions or lines of the answer, the newest ones; at most USAGE_LIMIT_MAX. */
  readonly limit: number;
}

export interface UsageSum {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  /** Of the lines with a price; undefined: none has one. */
  readonly costUsd: number | undefined;
  /** What that cost is made of; undefined: some line with a price does not tell. */
  readonly costsUsd: KindCosts | undefined;
  readonly linesCount: number;
  /** Lines without a price. */
  readonly unpricedCount: number;
}

export interface SessionUsageSum extends UsageSum {
  readonly key: string;
  /** Newest first, at most USAGE_SESSION_IDS_MAX. */
  readonly sessionIds: readonly string[];
  readonly lastAtMs: number;
  /** Of the newest line. */
  readonly provider: string | null;
  readonly model: string | null;
}

export interface ModelUsageSum extends UsageSum {
  readonly provider: string | null;
  readonly model: string | null;
}

export interface DayUsageSum extends UsageSum {
  /** When the day begins, in UTC. */
  readonly dayAtMs: number;
}

export interface ModelDayUsageSum extends DayUsageSum {
  readonly provider: string | null;
  readonly model: string | null;
}

export interface ChannelUsageSum extends UsageSum {
  readonly channel: string;
}

export interface UsageSums {
  /** Newest first. */
  readonly sessions: readonly SessionUsageSum[];
  /** At most USAGE_MODELS_MAX; what is beyond is in the totals alone. */
  readonly models: readonly ModelUsageSum[];
  /** Oldest first, days without runs left out; of more than USAGE_DAYS_MAX the newest. */
  readonly days: readonly DayUsageSum[];
  /** Oldest first; of more than USAGE_MODEL_DAYS_MAX the newest. */
  readonly modelDays: readonly ModelDayUsageSum[];
  /** Of keys that name a channel; at most USAGE_CHANNELS_MAX. */
  readonly channels: readonly ChannelUsageSum[];
  /** Of every line that matches, whatever the limit. */
  readonly totals: UsageSum;
}

export interface UsageLines {
  /** Oldest first. */
  readonly lines: readonly UsageLine[];
}

export type UsageAnswer<Q extends UsageQuery> = Q extends { readonly view: 'sums' } ? UsageSums : UsageLines;

export interface WrittenCheckpoint {
  readonly tempFile: string;
  readonly seq: number;
  readonly bytes: number;
  readonly entriesCount: number;
}

/** Requests by name, with their replies. */
export interface WorkerCalls {
  open: { request: OpenIndexRequest; reply: OpenIndexReply };
  apply: { request: { readonly changes: readonly IndexChange[]; readonly appliedSeq: number }; reply: { readonly appliedSeq: number } };
  merge: { request: { readonly nowMs: number }; reply: MergeReply };
  writeCheckpoint: { request: { readonly seq: number; readonly tempFile: string; readonly nowMs: number }; reply: WrittenCheckpoint };
  /** Before the renaming, durably: the file of this identity is the checkpoint's own, should nobody come to finish it. */
  announceCheckpoint: { request: { readonly identity: FileIdentity | undefined }; reply: Record<string, never> };
  finishCheckpoint: {
    request: { readonly seq: number; readonly identity: FileIdentity | undefined; readonly nowMs: number };
    /** False: a reader kept SQLite from folding its WAL; journal segments must wait. */
    reply: { readonly indexDurable: boolean };
  };
  scanTranscript: { request: { readonly file: string; readonly known?: TranscriptTail }; reply: TranscriptTail };
  search: { request: SearchRequest; reply: SearchReply };
  searchTexts: { request: SearchTextsRequest; reply: SearchTextsReply };
  sumUsage: { request: UsageQuery; reply: UsageSums };
  usageLines: { request: UsageQuery; reply: UsageLines };
  /** In a thread of its own: reads the whole database. */
  checkFile: { request: { readonly indexFile: string; readonly nativeBinding?: string }; reply: { readonly ok: boolean; readonly detail: string } };
  /** In a thread of its own: reads the whole store. */
  surveyErasure: { request: SurveyRequest; reply: EraseSurvey };
  /** In a thread of its own, while the store is closed and locked: writes, and reads the whole store. */
  clearPlaces: { request: ClearRequest; reply: ClearedStore };
  /** `sound`: the index may be trusted as it stands at the next opening. */
  close: { request: { readonly sound: boolean }; reply: Record<string, never> };
}

export type WorkerCallName = keyof WorkerCalls;

export interface WorkerRequest {
  readonly id: number;
  readonly name: WorkerCallName;
  readonly request: unknown;
}

export interface WorkerReply {
  readonly id: number;
  readonly reply?: unknown;
  readonly error?: { readonly reason: string; readonly message: string; readonly hint?: string; readonly facts: Record<string, string | number | boolean | null> };
}

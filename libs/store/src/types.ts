/**
 * The words between a store and those who use it: a mutation is decided by a pure function that
 * sees a view and answers with effects; the engine makes them durable and applies them.
 */
import type { JsonValue, KindCosts } from '@sessions/domain';

/** One stored entry. */
export interface EntrySnapshot {
  readonly key: string;
  /** The exact bytes of the value as they stand, or will stand, in `sessions.json`. */
  readonly text: string;
}

/** What an append needs to know about a transcript. */
export interface TranscriptTail {
  /** `none`: there is no such file yet. */
  readonly kind: 'none' | 'empty' | 'native' | 'simple';
  /** The id that a new line names as its parent; null when there is none. */
  readonly leafId: string | null;
  /** Message records so far, tool results included; the next one has this ordinal plus one. */
  readonly messages: number;
  /** User and assistant messages so far. */
  readonly exchanges: number;
  /** Length of the file, an unfinished last line included. */
  readonly bytes: number;
  /** Bytes of an unfinished last line that some other program left; an append begins on a new line then. */
  readonly tornBytes?: number;
}

/** What a decision may look at. Everything acknowledged or on its way is in it. */
export interface MutationView {
  readonly nowMs: number;
  entry(key: string): EntrySnapshot | undefined;
  /** The first of these keys that has an entry. */
  firstExisting(keys: readonly string[]): EntrySnapshot | undefined;
  /** Key of the entry with this session id. */
  keyOfSession(sessionId: string): string | undefined;
  /** True when an entry with another key has this transcript too. */
  isFileOfOthers(file: string, key: string): boolean;
  /** Key of the entry with exactly this label. */
  keyOfLabel(label: string): string | undefined;
  /** @param file name inside the store's directory. */
  transcript(file: string): TranscriptTail;
  /** Lines of the usage ledger with this run id, at most USAGE_LINES_OF_RUN_MAX. */
  usageOfRun(runId: string): readonly UsageLine[];
  /** True when the usage ledger has a line of this session id. */
  hasUsageOf(sessionId: string): boolean;
}

export interface PutEntryEffect {
  readonly kind: 'putEntry';
  readonly key: string;
  /** Final values; members not named stay as they are, byte for byte. Creates the entry when absent. */
  readonly set: Readonly<Record<string, JsonValue>>;
  readonly clear?: readonly string[];
}

/** An entry that comes from elsewhere: its bytes stay as they are. The key must have none. */
export interface PutEntryTextEffect {
  readonly kind: 'putEntryText';
  readonly key: string;
  /** One JSON value. */
  readonly text: string;
}

export interface RemoveEntryEffect {
  readonly kind: 'removeEntry';
  readonly key: string;
}

export interface AppendEffect {
  readonly kind: 'append';
  /** File name inside the store's directory; made when absent. */
  readonly file: string;
  /** Complete JSON lines without their newline, at most LINE_BYTES_MAX each. */
  readonly lines: readonly string[];
  readonly messages: number;
  readonly exchanges: number;
  readonly leafId: string | null;
}

/** A held file gets its archive name (`HeldFile.asideAs`); whatever was acknowledged for it is in the archive. */
export interface SetAsideEffect {
  readonly kind: 'setAside';
  readonly file: string;
}

/** A held archive gets a transcript's name again; that name is free, or set aside in the same mutation. */
export interface BringBackEffect {
  readonly kind: 'bringBack';
  readonly archive: string;
  /** Held too. */
  readonly file: string;
}

/** A held transcript stays as an archive, and a staged one takes its place; or a held name without a file gets one. */
export interface ReplaceTranscriptEffect {
  readonly kind: 'replaceTranscript';
  readonly file: string;
  /** From `HeldFiles.stage`. */
  readonly staged: StagedTranscript;
}

/** A held archive is removed for good. */
export interface RemoveArchiveEffect {
  readonly kind: 'removeArchive';
  readonly archive: string;
}

/** A line of the archive manifest, over everything that the mutation sets aside, brings back or removes. */
export interface RecordArchiveEffect {
  readonly kind: 'recordArchive';
  /** `reset`, `new`, `delete`, `compact`, `prune-stale`, `restore`, … */
  readonly reason: string;
  readonly key: string | null;
  readonly sessionId: string | null;
  /** The entry as it stood, JSON text; absent: there was none. */
  readonly entryText?: string;
  readonly actor: string;
  readonly runId?: string;
}

/** What one run used of one model: a line of the usage ledger. Holds no text. */
export interface UsageLine {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly key: string;
  readonly sessionId: string;
  readonly runId: string;
  /** Null: the run did not say. */
  readonly provider: string | null;
  readonly model: string | null;
  /** Tokens. */
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  /** US dollars; absent: the price is not known. */
  readonly costUsd?: number;
  /** What the cost is made of; absent: not known. */
  readonly costsUsd?: KindCosts;
}

/** A line of the usage ledger, which stays whatever becomes of the session. */
export interface RecordUsageEffect {
  readonly kind: 'recordUsage';
  readonly line: UsageLine;
}

export type FileEffect = SetAsideEffect | BringBackEffect | ReplaceTranscriptEffect | RemoveArchiveEffect | RecordArchiveEffect;

export type Effect = PutEntryEffect | PutEntryTextEffect | RemoveEntryEffect | AppendEffect | RecordUsageEffect | FileEffect;

/** A new transcript that is complete and synced, and has no name that anybody reads yet. */
export interface StagedTranscript {
  /** Name in the store's own directory. */
  readonly name: string;
  readonly bytes: number;
  readonly lines: number;
  readonly tail: TranscriptTail;
}

export interface HeldBytes {
  readonly bytes: number;
  readonly mtimeMs: number;
  /** Lower-case hex; empty where only the name is held. */
  readonly sha256: string;
}

/** A file that nobody of this store writes to while it is held. */
export interface HeldFile {
  readonly file: string;
  /** Undefined: there is no such file. */
  readonly found: HeldBytes | undefined;
  /** The free name that it gets when it is set aside; empty where there is no file. */
  readonly asideAs: string;
  /** End of a transcript; of other files the end of nothing. */
  readonly tail: TranscriptTail;
}

/** The files that one piece of work holds. */
export interface HeldView {
  /** @throws Error for a file that is not held: a mistake of the caller. */
  get(file: string): HeldFile;
  has(file: string): boolean;
}

export interface Decision<T extends JsonValue> {
  readonly effects: readonly Effect[];
  /** Answered now, and again to every repeat of the idempotency key. At most RESULT_BYTES_MAX as JSON. */
  readonly result: T;
  /** Kept beside it under keys of their own, as long as any result: what `AgentStore.storedResult` answers. At most NOTES_MAX. */
  readonly notes?: readonly ResultNote[];
}

/** Something that a mutation leaves to be found by a key: the first one under a key stays. */
export interface ResultNote {
  /** 1–256 visible characters. */
  readonly key: string;
  /** At most RESULT_BYTES_MAX as JSON. */
  readonly result: JsonValue;
}

export interface Mutation<T extends JsonValue> {
  /** 1–256 visible characters; without it every call is new. */
  readonly idempotencyKey?: string;
  /** Hash of the request's content; another one under the same key is refused. Absent: any content repeats. */
  readonly contentHash?: string;
  /** How long the first result is kept; at least a day. */
  readonly keepResultMs?: number;
  /** Files that its file effects are about; see `AgentStore.withHeld`. */
  readonly held?: HeldView;
  /** Pure and synchronous; may be called several times before its decision is taken. Throws to refuse. */
  decide(view: MutationView): Decision<T>;
}

export interface MutationOutcome<T extends JsonValue> {
  readonly result: T;
  /** Sequence of the mutation in its store. For a repeat: of the first call, where still known, else 0. */
  readonly seq: number;
  readonly epoch: number;
  readonly repeated: boolean;
  /** What happened to which entries, for events. Empty for a repeat. */
  readonly effects: readonly Effect[];
}

/** Lines of one run that a decision is shown; a run uses fewer models. */
export const USAGE_LINES_OF_RUN_MAX = 64;
/** Longest transcript line, newline included (spec: decision on wire bounds). */
export const LINE_BYTES_MAX = 16 * 1024 * 1024;
/** Longest stored result of an idempotent mutation. */
export const RESULT_BYTES_MAX = 16 * 1024;
/** Notes of one mutation. */
export const NOTES_MAX = 256;
/** How long a result is kept at least. */
export const KEEP_RESULT_MS_MIN = 24 * 60 * 60 * 1000;

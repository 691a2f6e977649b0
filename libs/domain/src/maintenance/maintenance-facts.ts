/**
 * What a plan has to know of one entry, read from it once, when it changes: the session index keeps it
 * in columns, so that a plan over a large store parses no entry. The owner asks the same functions
 * again inside the mutation that performs an action, which is why a dry run and a real run agree.
 *
 * A change of what stands here needs a new `INDEX_FORMAT`: columns that old rules made would be believed.
 */
import { parseEntry, type ParsedEntry } from '../entry/entry';
import { COMPACTION_MEMBER, DELIVERIES_MEMBER, RUNS_MEMBER } from '../entry/open-work';
import { removalAnnouncedAtMs } from '../entry/removal-notice';
import { nativeView } from '../entry/simple-format';
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import { isCronRunKey } from '../keys/key-kind';
import { parseSessionKey } from '../keys/session-key';
import type { Protection } from './facts';
import { isModelRunKey } from './plan-prune';
import { isDurablePointer, isMainKey, isNamedKey, isRecent } from './protection';

/** Bits of `MaintenanceFacts.flags`; they stand on disk, so a number keeps its meaning. */
export const ROW_FLAGS = {
  /** A run or a compaction that has not ended; or the row says that it runs. */
  running: 1,
  /** A message out of the session that nobody has acknowledged. */
  undelivered: 2,
  main: 4,
  pointer: 8,
  /** A direct chat: what a change of `dmScope` may retire. */
  direct: 16,
  cronRun: 32,
  modelRun: 64,
  /** A sub-agent that was spawned to stay. */
  persistentChild: 128,
} as const;

/**
 * Of an entry that was made from a transcript which names no session key: `true`. No limit takes such a row,
 * as it takes no group: its own key might have been one of those.
 */
export const KEY_LOST_MEMBER = 'keyLost';

export interface MaintenanceFacts {
  readonly flags: number;
  /** The later of change and use, epoch milliseconds; null: no usable time, which counts as now. */
  readonly activeAtMs: number | null;
  /** Session ids beside its own that the entry refers to, one a line; null: none. */
  readonly otherIds: string | null;
  readonly label: string | null;
  /** `provider/model`, or the model alone. */
  readonly model: string | null;
  /** When an ended sub-agent is to be archived. */
  readonly archiveAtMs: number | null;
  /** Of a sub-agent: `keep`, `delete`. */
  readonly cleanup: string | null;
  /** When the removal of the row as it stands was announced. */
  readonly removalAnnouncedAtMs: number | null;
}

/** @param value of the entry, parsed; what is no entry has what it has. */
export function maintenanceFacts(key: string, value: unknown, entry: ParsedEntry = parseEntry(value)): MaintenanceFacts {
  const native = entry.listed ? nativeView(entry.members) : isJsonObject(value) ? value : {};
  const row = entry.listed ? { sessionId: entry.sessionId, updatedAtMs: entry.updatedAtMs } : { sessionId: null, updatedAtMs: null };
  const text = (name: string): string | null => (typeof native[name] === 'string' ? native[name] : null);
  const model = text('model');
  const provider = text('modelProvider');
  return {
    flags: flagsOf(key, native),
    activeAtMs: activeAtMs(native['updatedAt'], native['lastInteractionAt']),
    otherIds: otherIdsOf(native, row.sessionId),
    label: text('label'),
    model: model === null || provider === null ? model : `${provider}/${model}`,
    archiveAtMs: wholeMs(native['archiveAt']),
    cleanup: text('cleanup'),
    removalAnnouncedAtMs: wholeMs(removalAnnouncedAtMs(native, row)),
  };
}

/** Whole milliseconds, as they travel; null for what is no number, or none that can. */
function wholeMs(value: JsonValue | undefined): number | null {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER ? Math.floor(value) : null;
}

export interface RowOccasion {
  readonly nowMs: number;
  /** A living process of somebody else holds the transcript. */
  readonly isHeld: boolean;
  /** Keys that the run protects. */
  readonly named: readonly string[];
}

/** Every protection that holds, in the order of `PROTECTIONS`. */
export function rowProtections(key: string, { flags, activeAtMs: activeAt }: Pick<MaintenanceFacts, 'flags' | 'activeAtMs'>, { nowMs, isHeld, named }: RowOccasion): readonly Protection[] {
  const held: Protection[] = [];
  if ((flags & ROW_FLAGS.running) !== 0) held.push('running');
  if ((flags & ROW_FLAGS.undelivered) !== 0) held.push('undelivered');
  if (isHeld) held.push('held');
  if (isRecent(activeAt, nowMs)) held.push('recent');
  if (named.length > 0 && isNamedKey(key, named)) held.push('named');
  if ((flags & ROW_FLAGS.main) !== 0) held.push('main');
  if ((flags & ROW_FLAGS.pointer) !== 0) held.push('pointer');
  return held;
}

function flagsOf(key: string, native: JsonObject): number {
  const origin = isJsonObject(native['origin']) ? native['origin'] : {};
  const chatType = typeof native['chatType'] === 'string' ? native['chatType'] : undefined;
  const originChatType = typeof origin['chatType'] === 'string' ? origin['chatType'] : undefined;
  // Whose conversation it was nobody can say; it may have been a group's.
  const pointer = native[KEY_LOST_MEMBER] === true || isDurablePointer({ key, ...(chatType === undefined ? {} : { chatType }), ...(originChatType === undefined ? {} : { originChatType }) });
  return (
    (isRunning(native) ? ROW_FLAGS.running : 0) |
    (native['pendingFinalDelivery'] === true || holdsSome(native[DELIVERIES_MEMBER]) ? ROW_FLAGS.undelivered : 0) |
    (isMainKey(key) ? ROW_FLAGS.main : 0) |
    (pointer ? ROW_FLAGS.pointer : 0) |
    (parseSessionKey(key).form === 'direct' ? ROW_FLAGS.direct : 0) |
    (isCronRunKey(key) ? ROW_FLAGS.cronRun : 0) |
    (isModelRunKey(key) ? ROW_FLAGS.modelRun : 0) |
    (native['spawnMode'] === 'session' ? ROW_FLAGS.persistentChild : 0)
  );
}

/**
 * A row that says it runs without a run in it (of another program's making) counts as running too, and
 * so does work that cannot be read: both fail towards keeping.
 */
function isRunning(native: JsonObject): boolean {
  return native['status'] === 'running' || holdsSome(native[RUNS_MEMBER]) || isJsonObject(native[COMPACTION_MEMBER]);
}

function holdsSome(value: JsonValue | undefined): boolean {
  return Array.isArray(value) && value.length > 0;
}

/** A missing instant of the row counts as now, a missing interaction as none. */
export function activeAtMs(updatedAt: JsonValue | undefined, lastInteractionAt: JsonValue | undefined): number | null {
  if (!isInstant(updatedAt)) return null;
  return isInstant(lastInteractionAt) ? Math.max(updatedAt, lastInteractionAt) : updatedAt;
}

function isInstant(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}

/** Members of a compaction checkpoint that hold session ids too. */
const CHECKPOINT_ENDS = ['preCompaction', 'postCompaction'];

function otherIdsOf(native: JsonObject, sessionId: string | null): string | null {
  const ids = new Set(familyIdsOf(native));
  if (sessionId !== null) ids.delete(sessionId);
  return ids.size === 0 ? null : [...ids].join('\n');
}

/** Ids of the session's family, and of both ends of its compaction checkpoints. */
export function familyIdsOf(native: JsonObject): ReadonlySet<string> {
  const family = native['usageFamilySessionIds'];
  const listed = Array.isArray(family) ? (family as readonly JsonValue[]).filter((id) => typeof id === 'string') : [];
  return new Set([...listed, ...checkpointEnds(native).flatMap(({ sessionId }) => (typeof sessionId === 'string' ? [sessionId] : []))]);
}

/** Names of the files at both ends of its compaction checkpoints, without their folders. */
export function familyFilesOf(native: JsonObject): ReadonlySet<string> {
  return new Set(checkpointEnds(native).flatMap(({ sessionFile }) => (typeof sessionFile === 'string' && sessionFile !== '' ? [sessionFile.slice(sessionFile.lastIndexOf('/') + 1)] : [])));
}

/** Each checkpoint, and its two ends. */
function checkpointEnds(native: JsonObject): readonly JsonObject[] {
  const checkpoints = native['compactionCheckpoints'];
  const listed = Array.isArray(checkpoints) ? (checkpoints as readonly JsonValue[]).filter((one) => isJsonObject(one)) : [];
  return listed.flatMap((checkpoint) => [checkpoint, ...CHECKPOINT_ENDS.map((name) => checkpoint[name])].filter((end) => isJsonObject(end)));
}

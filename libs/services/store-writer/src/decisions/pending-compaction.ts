/**
 * The compaction that a session waits for, as its entry holds it: asked for in the same mutation that
 * answers the caller, before any worker hears of it, and gone in the mutation that ends it.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '@sessions/domain';
import { randomBytes } from 'node:crypto';

/** Member of the entry. One compaction a key: a second request joins it. */
export const PENDING_MEMBER = 'pendingCompaction';
/** Member of the entry: the newest attempt that failed, so that the next one waits for new content. */
export const ATTEMPT_MEMBER = 'compactionAttempt';

export const REQUEST_REASONS = ['manual', 'auto-threshold', 'overflow-retry', 'timeout-retry'] as const;
export type RequestReason = (typeof REQUEST_REASONS)[number];

export interface PendingCompaction {
  readonly operationId: string;
  /** The compaction is of this transcript and of no later one of the key. */
  readonly sessionId: string;
  readonly reason: RequestReason;
  readonly instructions: string | undefined;
  /** Tip of the branch that is summarised. */
  readonly snapshotTipId: string;
  readonly requestedAtMs: number;
}

const RANDOM_BYTES = 6;

/** The session id stands in it: the owner finds the entry by it, and never that of a later transcript. */
export function newOperationId(sessionId: string): string {
  return `${sessionId}.${randomBytes(RANDOM_BYTES).toString('hex')}`;
}

/** Undefined for what is no operation id. */
export function sessionOfOperation(operationId: string): string | undefined {
  const at = operationId.lastIndexOf('.');
  return at <= 0 ? undefined : operationId.slice(0, at);
}

/** What an entry waits for; undefined: nothing, or what an earlier transcript of the key waited for. */
export function pendingOf(members: JsonObject, sessionId: string | null): PendingCompaction | undefined {
  const value = members[PENDING_MEMBER];
  if (!isJsonObject(value)) return undefined;
  const { operationId, reason, instructions, snapshotTipId, requestedAt } = value;
  const known = REQUEST_REASONS.find((each) => each === reason);
  if (typeof operationId !== 'string' || known === undefined || typeof snapshotTipId !== 'string' || typeof requestedAt !== 'number') return undefined;
  if (value['sessionId'] !== sessionId || sessionId === null) return undefined;
  return { operationId, sessionId, reason: known, instructions: typeof instructions === 'string' ? instructions : undefined, snapshotTipId, requestedAtMs: requestedAt };
}

export function pendingMember({ requestedAtMs, instructions, ...rest }: PendingCompaction): JsonValue {
  return { ...rest, ...(instructions === undefined ? {} : { instructions }), requestedAt: requestedAtMs };
}

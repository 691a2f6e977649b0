/** Which protections an entry has while facts are given or an action is decided. Pure. */
import { isJsonObject, nativeView, protectionsOf, type JsonObject, type Protection } from '@sessions/domain';

export interface RowOccasion {
  readonly nowMs: number;
  /** A living process of somebody else holds the transcript. */
  readonly isHeld: boolean;
  /** Keys that the run protects. */
  readonly named: readonly string[];
}

/**
 * A row that says it runs counts as running, whatever became of the run: until claims of runs are kept
 * here that fails towards keeping. So does a result that is marked as not yet delivered.
 */
export function protectionsOfEntry(key: string, members: JsonObject, { nowMs, isHeld, named }: RowOccasion): readonly Protection[] {
  const native = nativeView(members);
  const origin = isJsonObject(native['origin']) ? native['origin'] : {};
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  const chatType = text(native['chatType']);
  const originChatType = text(origin['chatType']);
  return protectionsOf({
    key,
    nowMs,
    hasRun: native['status'] === 'running',
    hasUndelivered: native['pendingFinalDelivery'] === true,
    isHeld,
    updatedAt: native['updatedAt'],
    lastInteractionAt: native['lastInteractionAt'],
    ...(chatType === undefined ? {} : { chatType }),
    ...(originChatType === undefined ? {} : { originChatType }),
    named,
  });
}

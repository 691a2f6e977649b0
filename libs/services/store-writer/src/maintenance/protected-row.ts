/** Which protections an entry has while facts are given or an action is decided. Pure. */
import { deliveriesOf } from '../decisions/open-delivery';
import { runsOf } from '../decisions/open-run';
import { isJsonObject, nativeView, protectionsOf, type JsonObject, type Protection } from '@sessions/domain';

export interface RowOccasion {
  readonly nowMs: number;
  /** A living process of somebody else holds the transcript. */
  readonly isHeld: boolean;
  /** Keys that the run protects. */
  readonly named: readonly string[];
}

/**
 * Open runs and deliveries stand in the entry. A row that says it runs without one (of another program's
 * making) counts as running too, and a result that is marked as not yet delivered as undelivered: both
 * fail towards keeping.
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
    hasRun: native['status'] === 'running' || runsOf(members).length > 0,
    hasUndelivered: native['pendingFinalDelivery'] === true || deliveriesOf(members).length > 0,
    isHeld,
    updatedAt: native['updatedAt'],
    lastInteractionAt: native['lastInteractionAt'],
    ...(chatType === undefined ? {} : { chatType }),
    ...(originChatType === undefined ? {} : { originChatType }),
    named,
  });
}

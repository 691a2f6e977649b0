/**
 * Messages on their way out of a session, as its entry holds them until they are acknowledged: to a
 * channel, or to another session. The id of one follows from what opened it, so that a repeat opens
 * nothing a second time. Long ones stand in a file (`spool-view.ts`).
 */
import { createHash } from 'node:crypto';
import { OutboundMessage } from '@sessions/contracts';
import { DELIVERIES_MEMBER, OFFERED_FOR_MS, isJsonObject, type JsonObject, type JsonValue } from '@sessions/domain';
import type { SpoolView } from './spool-view';

/**
 * Deliveries to channels that one session keeps. Beyond it the oldest of them are given up (`expired`);
 * those to other sessions never are.
 */
export const OPEN_DELIVERIES_MAX = 200;

export interface OpenDelivery {
  readonly deliveryId: string;
  readonly createdAtMs: number;
  /** The run that it answers; undefined: it is no answer. */
  readonly runId?: string;
  readonly inReplyTo?: { readonly channel: string; readonly accountId?: string; readonly messageId: string };
  /** For whoever looks for those of one adapter; undefined: to a session. */
  readonly channel?: string;
  readonly accountId?: string;
  /** Key that it is for; undefined: to a channel. */
  readonly toKey?: string;
  /** The message itself, as JSON, or the file that holds it. */
  readonly message?: JsonObject;
  readonly spool?: string;
}

export function deliveriesOf(members: JsonObject): readonly OpenDelivery[] {
  const value = members[DELIVERIES_MEMBER];
  if (!Array.isArray(value)) return [];
  return (value as readonly JsonValue[]).flatMap((one): OpenDelivery[] => {
    if (!isJsonObject(one) || typeof one['deliveryId'] !== 'string' || typeof one['createdAt'] !== 'number') return [];
    const { createdAt, ...rest } = one;
    return [{ ...(rest as unknown as Omit<OpenDelivery, 'createdAtMs'>), createdAtMs: createdAt as number }];
  });
}

export function deliveryMembers(deliveries: readonly OpenDelivery[], before: JsonObject): { readonly set: Record<string, JsonValue>; readonly clear: readonly string[] } {
  if (deliveries.length === 0) return { set: {}, clear: before[DELIVERIES_MEMBER] === undefined ? [] : [DELIVERIES_MEMBER] };
  const written = deliveries.map(({ createdAtMs, ...rest }): JsonValue => ({ ...(rest as unknown as JsonObject), createdAt: createdAtMs }));
  return { set: { [DELIVERIES_MEMBER]: written }, clear: [] };
}

export interface Opening {
  /** Of the session that holds them. */
  readonly key: string;
  /** What opens them: a run's id, a message's. Unique in the store. */
  readonly source: string;
  readonly runId?: string;
  readonly inReplyTo?: OpenDelivery['inReplyTo'];
  readonly nowMs: number;
}

export interface OpenedDeliveries {
  /** All of the session now. */
  readonly deliveries: readonly OpenDelivery[];
  readonly opened: readonly OpenDelivery[];
  readonly givenUp: readonly OpenDelivery[];
}

/** @throws SpoolUnwritten */
export function openDeliveries(before: readonly OpenDelivery[], messages: readonly OutboundMessage[], { key, source, runId, inReplyTo, nowMs }: Opening, view: SpoolView): OpenedDeliveries {
  const opened = messages.map((outbound, index): OpenDelivery => {
    const message = OutboundMessage.toJSON(outbound) as JsonObject;
    const spool = view.keep(key, JSON.stringify(message));
    const { route, toSession } = outbound;
    return {
      deliveryId: deliveryIdOf(source, index),
      createdAtMs: nowMs,
      ...(runId === undefined ? {} : { runId }),
      ...(inReplyTo === undefined || toSession !== undefined ? {} : { inReplyTo }),
      ...(toSession !== undefined ? { toKey: toSession.sessionKey } : route === undefined ? {} : { channel: route.channel, ...(route.accountId === undefined ? {} : { accountId: route.accountId }) }),
      ...(spool === undefined ? { message } : { spool }),
    };
  });
  const all = [...before, ...opened];
  const excess = all.filter(({ toKey }) => toKey === undefined).length - OPEN_DELIVERIES_MAX;
  const givenUp = new Set(all.filter(({ toKey }) => toKey === undefined).slice(0, Math.max(0, excess)));
  return { deliveries: all.filter((one) => !givenUp.has(one)), opened: opened.filter((one) => !givenUp.has(one)), givenUp: [...givenUp] };
}

const ID_LENGTH = 32;

function deliveryIdOf(source: string, index: number): string {
  return createHash('sha256').update(`${source}\n${String(index)}`).digest('hex').slice(0, ID_LENGTH);
}

/** The message of a delivery. @throws SpoolUnread */
export function outboundOf({ message, spool }: OpenDelivery, view: SpoolView): OutboundMessage | undefined {
  const text = spool === undefined ? undefined : view.read(spool);
  const json: unknown = spool === undefined ? message : text === undefined ? undefined : JSON.parse(text);
  return isJsonObject(json as JsonValue) ? OutboundMessage.fromJSON(json) : undefined;
}

/** It is offered by itself no more, and stays until it is acknowledged or its session is deleted. */
export function isOverdue({ createdAtMs }: OpenDelivery, nowMs: number): boolean {
  return nowMs - createdAtMs > OFFERED_FOR_MS;
}

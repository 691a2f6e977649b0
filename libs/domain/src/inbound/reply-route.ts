import type { InboundEnvelope, ReplyRoute } from './envelope';

/** Longest idempotency key, in UTF-16 units. */
export const IDEMPOTENCY_KEY_LENGTH_MAX = 256;

/**
 * Where the answer to this message goes: the route it names, else back where it came from (the
 * conversation, for direct messages the sender). It belongs to the message, never to the session.
 * @returns `undefined` when there is nowhere: cron, hooks and nodes without a route of their own.
 */
export function replyRouteOf(envelope: InboundEnvelope): ReplyRoute | undefined {
  if (envelope.replyRoute !== undefined) return envelope.replyRoute;
  const { channel, accountId, threadId } = envelope;
  const to = envelope.conversation?.id ?? envelope.sender?.id;
  if (channel === undefined || to === undefined) return undefined;
  return { channel, to, accountId, ...(threadId === undefined ? {} : { threadId }) };
}

/**
 * The idempotency key of a message that brings none: the channel's own identity of the message,
 * or the run of a cron job. Parts are escaped, so no two messages share a key.
 * @param digest a collision-resistant hash as short visible ASCII; used when the key would be
 * longer than `IDEMPOTENCY_KEY_LENGTH_MAX`.
 * @returns `undefined` when each call is a message of its own (hooks, nodes, web chat without id).
 */
export function defaultIdempotencyKey(envelope: InboundEnvelope, digest: (text: string) => string): string | undefined {
  if (envelope.idempotencyKey !== undefined) return envelope.idempotencyKey;
  const parts = identityParts(envelope);
  if (parts === undefined) return undefined;
  const key = parts.map(escapedPart).join('/');
  return key.length <= IDEMPOTENCY_KEY_LENGTH_MAX ? key : `${escapedPart(parts[0] ?? '')}/${digest(key)}`;
}

function identityParts(envelope: InboundEnvelope): readonly string[] | undefined {
  if (envelope.cron !== undefined) return ['cron', envelope.cron.jobId, envelope.cron.runId];
  const { channel, messageId, accountId } = envelope;
  if (messageId === undefined || envelope.hook !== undefined || envelope.node !== undefined) return undefined;
  return [channel ?? envelope.origin.kind, accountId, envelope.conversation?.id ?? envelope.sender?.id ?? '', messageId];
}

/** A part of an identity. Keeps visible ASCII but `/` and `%`; everything else is percent-encoded UTF-8. */
export function escapedPart(part: string): string {
  return part.replace(/\p{Cs}/gu, '\uFFFD').replace(/[^!-$&-.0-~]/gu, encodeURIComponent);
}

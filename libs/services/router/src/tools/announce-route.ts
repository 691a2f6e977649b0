import { ReplyRoute } from '@sessions/contracts';
import type { SessionRow } from '@sessions/contracts';
import { isJsonObject } from '@sessions/domain';

/** Channels that are no adapter's: nobody takes deliveries for them. */
const INTERNAL: ReadonlySet<string> = new Set(['webchat', 'internal', 'unknown', '']);

/**
 * Where a session was last spoken with on a channel, for messages that answer nobody's; undefined:
 * nowhere. Never for the answer to a message: that goes where the message came from (decision 20).
 */
export function channelRouteOf(row: SessionRow | undefined): ReplyRoute | undefined {
  if (row === undefined) return undefined;
  const stored: unknown = row.deliveryContextJson === undefined ? undefined : JSON.parse(Buffer.from(row.deliveryContextJson).toString('utf8'));
  const context = isJsonObject(stored) ? stored : {};
  const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined);
  const channel = text(context.channel) ?? row.lastChannel;
  const to = text(context.to) ?? (context.channel === undefined ? row.lastTo : undefined);
  if (channel === undefined || INTERNAL.has(channel) || to === undefined) return undefined;
  const isOfContext = context.channel !== undefined;
  return ReplyRoute.create({
    channel,
    to,
    accountId: text(context.accountId) ?? (isOfContext ? undefined : row.lastAccountId),
    threadId: text(context.threadId) ?? (isOfContext ? undefined : row.lastThreadId),
  });
}

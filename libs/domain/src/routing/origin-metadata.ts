/**
 * What an inbound message leaves on the entry of its session. These fields are for lists and
 * proactive sends; the answer to a message goes to the message's own route.
 */
import type { InboundEnvelope } from '../inbound/envelope';
import type { Route } from './resolve-session-key';

/** Members to merge into an entry: `null` removes, absent leaves alone. */
export interface OriginPatch {
  readonly chatType?: Route['chatType'];
  readonly origin?: Readonly<Record<string, string | null>>;
  readonly route?: { readonly channel: string; readonly accountId: string; readonly target: { readonly to: string } | null; readonly thread: { readonly id: string } | null };
  readonly deliveryContext?: Readonly<Record<string, string | null>>;
  readonly lastChannel?: string;
  readonly lastTo?: string | null;
  readonly lastAccountId?: string;
  readonly lastThreadId?: string | null;
  readonly channel?: string;
  readonly groupId?: string;
  readonly subject?: string;
  readonly displayName?: string;
}

/**
 * The patch of one inbound touch. Empty for cron, hooks and nodes, which have no origin, and for
 * an operator's web chat in a session of somebody else, whose own origin stays.
 */
export function originPatch(envelope: InboundEnvelope, route: Route): OriginPatch {
  if (route.channel === 'internal') return {};
  if (envelope.origin.kind === 'webchat' && route.sessionKey !== route.mainSessionKey) return {};
  const to = route.deliveryContext?.to ?? null;
  const channel = route.deliveryContext?.channel ?? route.channel;
  const accountId = route.deliveryContext?.accountId ?? envelope.accountId;
  // Not the topic of the session: Telegram's General topic is one only to us, and takes no thread id.
  const threadId = route.deliveryContext?.threadId ?? null;
  return {
    chatType: route.chatType,
    origin: {
      label: originLabel(envelope),
      provider: route.channel,
      surface: route.channel,
      chatType: route.chatType,
      from: originFrom(envelope, route),
      to,
      accountId: envelope.accountId,
      threadId: route.threadId ?? envelope.threadId ?? null,
    },
    route: { channel, accountId, target: to === null ? null : { to }, thread: threadId === null ? null : { id: threadId } },
    deliveryContext: { channel, to, accountId, threadId },
    lastChannel: channel,
    lastTo: to,
    lastAccountId: accountId,
    lastThreadId: threadId,
    ...groupFields(envelope, route),
  };
}

/** `<name> (@<username>) id:<id>`; of a group its name and id. */
function originLabel(envelope: InboundEnvelope): string | null {
  const { conversation, sender } = envelope;
  if (conversation !== undefined) return words(conversation.name, `id:${conversation.id}`);
  if (sender === undefined) return null;
  const username = sender.username === undefined ? undefined : `(@${sender.username.replace(/^@/, '')})`;
  return words(sender.name, username, sender.id === undefined ? undefined : `id:${sender.id}`) || null;
}

function words(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined).join(' ');
}

/** Who it came from: distinct values of direct chats count the senders of a shared session. */
function originFrom(envelope: InboundEnvelope, route: Route): string | null {
  if (envelope.conversation !== undefined && route.chatType !== 'direct') return `${route.channel}:${route.chatType}:${envelope.conversation.id}`;
  return envelope.sender?.id === undefined ? null : `${route.channel}:${envelope.sender.id}`;
}

function groupFields(envelope: InboundEnvelope, route: Route): OriginPatch {
  const { conversation } = envelope;
  if (conversation === undefined || route.chatType === 'direct') return {};
  return {
    channel: route.channel,
    groupId: conversation.id,
    ...(conversation.name === undefined ? {} : { subject: conversation.name }),
    displayName: groupDisplayName(route.channel, route.chatType, conversation),
  };
}

/** `<channel>:#name` for rooms, `<channel>:g-<slug>` for groups; the id stands in for a missing name. */
export function groupDisplayName(channel: string, chatType: 'group' | 'channel', conversation: { readonly id: string; readonly name?: string }): string {
  const slug = nameSlug(conversation.name ?? '') || nameSlug(conversation.id);
  return chatType === 'channel' ? `${channel}:#${slug.replace(/^#+/, '')}` : `${channel}:g-${slug}`;
}

/** A name as keys and display names spell it: lower case, words joined by dashes. */
export function nameSlug(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/\s+/g, '-')
    .replace(/[^a-z0-9#@+._-]/g, '')
    .replace(/-{2,}/g, '-')
    .replace(/^-+|-+$/g, '');
}

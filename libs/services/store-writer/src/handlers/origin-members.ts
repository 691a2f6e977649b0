/** Where a message came from, as the members that it leaves on the entry of its session. */
import type { ResolvedRoute, Sender } from '@sessions/contracts';
import {
  ORIGIN_KINDS,
  asChatType,
  mainSessionKey,
  originPatch,
  slugAccountId,
  type AgentId,
  type InboundEnvelope,
  type JsonObject,
  type Route,
  type SessionConfig,
  type SessionKey,
} from '@sessions/domain';

/** The patch of `originPatch`, from what travelled; null members remove. */
export function originMembers(agentId: AgentId, route: ResolvedRoute, sender: Sender | undefined, config: SessionConfig): JsonObject {
  const kind = ORIGIN_KINDS.find((known) => known === route.originKind);
  if (kind === undefined) return {};
  const chatType = asChatType(route.chatType) ?? 'direct';
  const accountId = route.accountId ?? 'default';
  const envelope: InboundEnvelope = {
    origin: { kind },
    accountId,
    chatType,
    text: '',
    attachments: [],
    mentioned: false,
    deliver: true,
    ...(route.channel === undefined ? {} : { channel: route.channel }),
    ...(route.threadId === undefined ? {} : { threadId: route.threadId }),
    ...senderMember(sender),
    ...conversationMember(route, chatType),
  };
  const resolved: Route = {
    agentId,
    sessionKey: route.sessionKey as SessionKey,
    mainSessionKey: mainSessionKey(agentId, config.session.scope),
    channel: kind === 'channel' || kind === 'webchat' ? (route.channel ?? kind) : 'internal',
    accountId: slugAccountId(accountId),
    chatType,
    matchedBy: 'default',
    ...(route.threadId === undefined || chatType === 'direct' ? {} : { threadId: route.threadId }),
    ...replyMember(route),
  };
  return originPatch(envelope, resolved) as JsonObject;
}

function senderMember(sender: Sender | undefined): Pick<InboundEnvelope, 'sender'> {
  if (sender === undefined) return {};
  const { id, name, username } = sender;
  const given = { ...(id === undefined ? {} : { id }), ...(name === undefined ? {} : { name }), ...(username === undefined ? {} : { username }) };
  return { sender: { ...given, authority: 'allowed' } };
}

function conversationMember(route: ResolvedRoute, chatType: string): Pick<InboundEnvelope, 'conversation'> {
  if (chatType === 'direct' || route.peer === undefined) return {};
  return { conversation: { id: route.peer.id, ...(route.conversationName === undefined ? {} : { name: route.conversationName }) } };
}

function replyMember({ replyRoute }: ResolvedRoute): Pick<Route, 'deliveryContext'> {
  if (replyRoute === undefined) return {};
  const { channel, to, accountId, threadId } = replyRoute;
  return { deliveryContext: { channel, to, ...(accountId === undefined ? {} : { accountId }), ...(threadId === undefined ? {} : { threadId }) } };
}

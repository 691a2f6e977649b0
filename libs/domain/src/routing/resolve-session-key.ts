/**
 * From an inbound message to the session it belongs to.
 *
 * A frozen pure function of envelope and configuration: the same recorded message gives the same
 * key in every release, or conversations would lose their history. `testdata/origins.json` holds it.
 */
import type { SessionConfig } from '../config/parse-config';
import { SessionError } from '../errors';
import type { AgentId, SessionKey } from '../ids';
import type { InboundEnvelope, ReplyRoute } from '../inbound/envelope';
import { replyRouteOf } from '../inbound/reply-route';
import type { ChatType } from '../keys/key-kind';
import { assertCreatableKey, formatSessionKey, mainSessionKey, normaliseSessionKey, toRequestKey, type KeyAddress, type KeySuffix, type ParsedKey } from '../keys/session-key';
import { slugAccountId } from '../keys/slug-id';
import { chooseAgent, type MatchedBy } from './bindings';
import { assertHookMayReach } from './hook-reach';
import { linkedName } from './identity-links';

/** The topic that messages outside every topic of a Telegram forum belong to. */
export const TELEGRAM_GENERAL_TOPIC = '1';

export interface Route {
  readonly agentId: AgentId;
  readonly sessionKey: SessionKey;
  /** Where direct messages of the agent meet; `global` under that scope. */
  readonly mainSessionKey: SessionKey;
  /** `internal` for cron, hooks and nodes. */
  readonly channel: string;
  /** Slugged; `default` when the message names none. */
  readonly accountId: string;
  readonly chatType: ChatType;
  /** Thread or topic of the session; direct chats have none. */
  readonly threadId?: string;
  readonly peerId?: string;
  readonly matchedBy: MatchedBy;
  /** Where the answer goes; absent when the message came from nowhere that could be answered. */
  readonly deliveryContext?: ReplyRoute;
}

export interface RouteOptions {
  /** A UUID for a webhook that names neither a hook id nor a key. */
  readonly newHookId?: string;
}

/**
 * @throws PEER_MISSING for a direct channel message without sender id unless direct messages
 * share one session; AGENT_UNKNOWN for an explicit agent that is not configured; VALIDATION for a
 * session key or an agent that webhooks may not choose; KEY_INVALID when the ids make no valid key.
 */
export function resolveRoute(envelope: InboundEnvelope, config: SessionConfig, options: RouteOptions = {}): Route {
  const choice = chooseAgent(envelope, config);
  const { key, agentId, threadId } = resolveKey(envelope, config, choice.agentId, options);
  assertCreatableKey(key);
  if (envelope.origin.kind === 'hook') assertHookMayReach(envelope.sessionKey, agentId, config.hooks);
  const peerId = envelope.sender?.id;
  const deliveryContext = replyRouteOf(envelope);
  const synthetic = ['cron', 'hook', 'node'].includes(envelope.origin.kind);
  return {
    agentId,
    sessionKey: key,
    mainSessionKey: mainSessionKey(agentId, config.session.scope),
    channel: synthetic ? 'internal' : (envelope.channel ?? envelope.origin.kind),
    accountId: slugAccountId(envelope.accountId),
    chatType: envelope.chatType ?? 'direct',
    ...(threadId === undefined ? {} : { threadId }),
    ...(peerId === undefined ? {} : { peerId }),
    matchedBy: agentId === choice.agentId ? choice.matchedBy : 'explicit',
    ...(deliveryContext === undefined ? {} : { deliveryContext }),
  };
}

interface ResolvedKey {
  readonly key: SessionKey;
  readonly agentId: AgentId;
  readonly threadId?: string;
}

function resolveKey(envelope: InboundEnvelope, config: SessionConfig, agentId: AgentId, options: RouteOptions): ResolvedKey {
  const { scope } = config.session;
  const under = (parts: KeyAddress): ResolvedKey => ({ key: keyOf({ ...parts, agentId }), agentId });
  switch (envelope.origin.kind) {
    case 'channel':
      return envelope.chatType === 'direct' ? { key: directKey(envelope, config, agentId), agentId } : conversationKey(envelope, agentId);
    case 'cron':
      return cronKey(envelope, config, agentId);
    case 'hook': {
      if (envelope.sessionKey !== undefined) return requestedKey(envelope, config, agentId);
      const { defaultSessionKey } = config.hooks;
      if (envelope.hook?.hookId === undefined && defaultSessionKey !== undefined) return addressed(defaultSessionKey, config, agentId);
      const hookId = envelope.hook?.hookId ?? options.newHookId;
      if (hookId === undefined) throw new SessionError('VALIDATION', 'invalid message: hook.hookId: is required when no id is minted for it');
      return under({ form: 'hook', hookId: hookId.trim() });
    }
    case 'node':
      if (envelope.sessionKey !== undefined) return requestedKey(envelope, config, agentId);
      return under({ form: 'node', separator: '-', nodeId: envelope.node?.nodeId.trim() ?? '' });
    case 'webchat':
      return envelope.sessionKey === undefined ? { key: mainSessionKey(agentId, scope), agentId } : requestedKey(envelope, config, agentId);
  }
}

/** Written form of these parts: type words as given, ids folded except opaque ones. */
function keyOf(parts: ParsedKey): SessionKey {
  return normaliseSessionKey(formatSessionKey(parts));
}

/** A thread inside a direct chat does not leave its session. */
function directKey(envelope: InboundEnvelope, config: SessionConfig, agentId: AgentId): SessionKey {
  const { scope, dmScope, identityLinks } = config.session;
  if (scope === 'global' || dmScope === 'main') return mainSessionKey(agentId, scope);
  const channel = envelope.channel ?? '';
  const senderId = envelope.sender?.id?.trim() ?? '';
  if (senderId === '') {
    throw new SessionError('PEER_MISSING', `a direct message needs a sender id under session.dmScope "${dmScope}"`, { facts: { channel } });
  }
  const peerId = linkedName(identityLinks, channel, senderId) ?? senderId;
  const direct = { form: 'direct', word: 'direct', agentId, peerId } as const;
  switch (dmScope) {
    case 'per-peer':
      return keyOf(direct);
    case 'per-channel-peer':
      return keyOf({ ...direct, channel });
    case 'per-account-channel-peer':
      return keyOf({ ...direct, channel, accountId: slugAccountId(envelope.accountId) });
  }
}

function conversationKey(envelope: InboundEnvelope, agentId: AgentId): ResolvedKey {
  const channel = envelope.channel ?? '';
  const id = envelope.conversation?.id.trim() ?? '';
  const suffix = suffixOf(envelope);
  const around = { agentId, ...(suffix === undefined ? {} : { suffix }) };
  const key = envelope.chatType === 'group' ? keyOf({ form: 'group', channel, id, ...around }) : keyOf({ form: 'room', word: 'channel', channel, id, ...around });
  return { key, agentId, ...(suffix === undefined ? {} : { threadId: suffix.id }) };
}

function suffixOf(envelope: InboundEnvelope): KeySuffix | undefined {
  if (envelope.threadId !== undefined) return { kind: envelope.threadKind ?? 'thread', id: envelope.threadId.trim() };
  const isForum = envelope.channel === 'telegram' && envelope.conversation?.kind?.toLowerCase() === 'forum';
  return isForum ? { kind: 'topic', id: TELEGRAM_GENERAL_TOPIC } : undefined;
}

function cronKey(envelope: InboundEnvelope, config: SessionConfig, agentId: AgentId): ResolvedKey {
  const { cron } = envelope;
  if (cron === undefined) throw new SessionError('VALIDATION', 'invalid message: cron: is required for origin cron');
  if (cron.target === 'isolated') return { key: keyOf({ form: 'cron', jobId: cron.jobId.trim(), agentId }), agentId };
  const key = cron.target === 'main' ? 'main' : cron.target.slice('session:'.length);
  return addressed(key, config, agentId);
}

function requestedKey(envelope: InboundEnvelope, config: SessionConfig, agentId: AgentId): ResolvedKey {
  if (envelope.origin.kind === 'hook' && !config.hooks.allowRequestSessionKey) {
    throw new SessionError('VALIDATION', 'invalid message: sessionKey: webhooks may not choose their session', { hint: 'set hooks.allowRequestSessionKey: true' });
  }
  return addressed(envelope.sessionKey ?? '', config, agentId);
}

function addressed(key: string, config: SessionConfig, agentId: AgentId): ResolvedKey {
  const { scope, mainKey } = config.session;
  const request = toRequestKey({ key, agentId, defaultAgentId: agentId, scope, mainKey });
  return { key: request.key, agentId: request.agentId ?? agentId };
}

/** SubmitMessage: a message from outside to its session, kept before it is answered. */
import { createHash } from 'node:crypto';
import { Attachment, ChannelMessageRef, PeerRef, ReplyRoute, ResolvedRoute, RunRequest, Sender, SubmitMessageResponse, WaitRunRequest } from '@sessions/contracts';
import type { ChatCommand, DeliverResponse, Envelope, InboundMessage, SubmitMessageRequest } from '@sessions/contracts';
import { SessionError, asAgentId, configuredAgents, defaultIdempotencyKey, isJsonObject, parseEnvelope, resolveRoute, slugAgentId } from '@sessions/domain';
import type { InboundEnvelope, Route } from '@sessions/domain';
import { idempotencyKeyOf } from '@sessions/bus';
import type { CallContext } from '@sessions/bus';
import { assertSeesAgent } from '../auth/scopes';
import type { SeenAddress } from '../auth/sight';
import type { HandlerDeps } from '../deps';
import { contentBytes, withDecodedContents } from '../large/decoded-contents';
import { boundSession } from '../threads/bound-thread';
import { threadCommand } from '../threads/thread-commands';
import { deliverTo } from './deliver-to';
import { runIdOf, uuidOf } from './minted-id';
import { runCommand } from './run-commands';
import { WAIT_MS_MAX, waitRun } from './wait-run';
import { withTime } from './with-time';

/** Time beyond a wait, for the calls around it. */
const WAIT_GRACE_MS = 10_000;

export function submitMessage(deps: HandlerDeps, request: SubmitMessageRequest, context: CallContext): Promise<SubmitMessageResponse> {
  return submitEnvelope(deps, request.envelope === undefined ? {} : envelopeToJson(request.envelope), request.waitMs, context);
}

/**
 * An envelope's own session key may name any agent: one that is neither configured nor on disk would
 * get a store of its own with every such message.
 */
async function assertKnownAgent(deps: HandlerDeps, { agentId }: Route, context: CallContext): Promise<void> {
  assertSeesAgent(context.scopes, agentId);
  if (configuredAgents(deps.config()).ids.includes(agentId)) return;
  if ((await deps.agents.list(context)).some((agent) => agent.agentId === agentId)) return;
  throw new SessionError('AGENT_UNKNOWN', `Unknown agent id "${agentId}"`, { facts: { agentId } });
}

/**
 * @param raw the envelope as JSON has it; nothing in it is trusted
 * @param waitMs the answer waits for the end of the run, which goes on when the wait or its caller ends; without a run there is nothing to wait for
 * @throws VALIDATION, TOO_LARGE, PEER_MISSING, AGENT_UNKNOWN, KEY_INVALID, IDEMPOTENCY_MISMATCH, or
 * what the owner refuses with
 */
export async function submitEnvelope(
  deps: HandlerDeps,
  raw: unknown,
  waitMs: number | undefined,
  context: CallContext,
): Promise<SubmitMessageResponse> {
  if (waitMs !== undefined && !(Number.isSafeInteger(waitMs) && waitMs >= 0 && waitMs <= WAIT_MS_MAX)) {
    throw new SessionError('VALIDATION', `wait must be 0 to ${WAIT_MS_MAX} milliseconds`);
  }
  const envelope = parseEnvelope(isJsonObject(raw) && raw['attachments'] !== undefined ? { ...raw, attachments: await withDecodedContents(raw['attachments']) } : raw);
  // First, so that who may not see an agent is not told whether there is one.
  if (envelope.agentId !== undefined) assertSeesAgent(context.scopes, slugAgentId(envelope.agentId));
  const ownKey = context.idempotencyKey ?? defaultIdempotencyKey(envelope, digest);
  // Minted from the key: a webhook's retry has to reach the session of its first try.
  const route = resolveRoute(envelope, deps.config(), { newHookId: uuidOf(ownKey ?? context.requestId) });
  await assertKnownAgent(deps, route, context);
  const run = runOf(envelope, route, ownKey ?? idempotencyKeyOf(context));
  const address = { agentId: route.agentId as string, key: route.sessionKey as string };
  const aboutThread = await threadCommandOf(deps, envelope, route, run.replyRoute, context);
  const bound = aboutThread !== undefined || envelope.origin.kind !== 'channel' ? undefined : await boundSession(deps, { address, channel: route.channel, place: run.replyRoute, runId: run.runId }, context);
  const place = bound ?? address;
  const deliver = async ({ agentId, key }: SeenAddress): Promise<DeliverResponse> => deliverTo(
    deps,
    {
      agentId,
      key,
      text: envelope.text,
      attachments: envelope.attachments.map((file) => Attachment.create({ name: file.name, mimeType: file.mimeType, content: contentBytes(file) })),
      route: { ...toResolvedRoute(envelope, route), agentId, sessionKey: key },
      message: messageMembers(envelope),
      run,
      command: aboutThread ?? (await commandOf(deps, envelope, { agentId, key }, run.replyRoute, context)),
      requireExisting: key !== route.sessionKey,
      idempotencyKey: ownKey,
    },
    context,
  );
  let { agentId } = place;
  const answer = await deliver(place).catch((error: unknown) => {
    // The bound session went in between: its thread has its own again.
    if (bound === undefined || !(error instanceof SessionError) || error.reason !== 'SESSION_NOT_FOUND') throw error;
    ({ agentId } = address);
    return deliver(address);
  });
  const { status, sessionKey, sessionId, runId, queued, position, reset, reply, ignoredReason } = answer;
  return SubmitMessageResponse.create({
    status,
    agentId,
    sessionKey,
    sessionId,
    runId,
    queued: runId === undefined ? undefined : queued,
    position,
    matchedBy: route.matchedBy,
    reset,
    reply,
    ignoredReason,
    ...(await endOf(deps, answer, agentId, waitMs, context)),
  });
}

/**
 * The turn that the message asks for. Its answer goes where this message came from, whatever else is
 * said in the session meanwhile; what came from no channel is answered nowhere.
 */
function runOf(envelope: InboundEnvelope, route: Route, key: string): RunRequest {
  const { kind } = envelope.origin;
  return RunRequest.create({
    runId: runIdOf(key, route.agentId),
    deliver: envelope.deliver,
    replyRoute: route.deliveryContext === undefined ? undefined : ReplyRoute.create(route.deliveryContext),
    source: kind === 'webchat' ? 'chat.send' : kind,
  });
}

/** A command about what runs, of a person who may give it. */
function commandOf(deps: HandlerDeps, envelope: InboundEnvelope, address: SeenAddress, replyRoute: ReplyRoute | undefined, context: CallContext): Promise<ChatCommand | undefined> {
  const sender = commandSender(envelope);
  if (sender === undefined) return Promise.resolve(undefined);
  return runCommand(deps, { ...address, agentId: asAgentId(address.agentId), text: envelope.text, hasAttachments: envelope.attachments.length > 0, sender, replyRoute }, context);
}

/** A command about the thread that it is said in. */
function threadCommandOf(deps: HandlerDeps, envelope: InboundEnvelope, { agentId, sessionKey, channel }: Route, place: ReplyRoute | undefined, context: CallContext): Promise<ChatCommand | undefined> {
  const sender = commandSender(envelope);
  if (sender === undefined || envelope.origin.kind !== 'channel') return Promise.resolve(undefined);
  return threadCommand(deps, { address: { agentId, key: sessionKey }, channel, place, text: envelope.text, hasAttachments: envelope.attachments.length > 0, sender }, context);
}

/** What a person may command; undefined: nobody's message, never a command. */
function commandSender({ origin, sender }: InboundEnvelope): { readonly isOwner: boolean; readonly isAuthorised: boolean } | undefined {
  if (origin.kind !== 'channel' && origin.kind !== 'webchat') return undefined;
  const authority = sender?.authority ?? (origin.kind === 'webchat' ? 'owner' : 'allowed');
  return { isOwner: authority === 'owner', isAuthorised: authority !== 'other' };
}

/** How the run ended, for who waits: one that goes on longer is a time-out of the wait. */
async function endOf(deps: HandlerDeps, { runId }: DeliverResponse, agentId: string, waitMs: number | undefined, context: CallContext): Promise<Pick<SubmitMessageResponse, 'outcome' | 'text'>> {
  if (runId === undefined || waitMs === undefined || waitMs === 0) return { outcome: undefined, text: undefined };
  const ended = await waitRun(deps, WaitRunRequest.create({ runId, agentId, timeoutMs: waitMs }), withTime(context, deps.bus.clock.nowMs(), waitMs + WAIT_GRACE_MS));
  if (ended.state !== 'ended') return { outcome: 'timeout', text: undefined };
  const outcome = ended.outcome === 'ok' || ended.outcome === 'timeout' ? ended.outcome : 'error';
  return { outcome, text: ended.text };
}

function messageMembers(envelope: InboundEnvelope): Partial<InboundMessage> {
  const { origin, channel, accountId, messageId, sender } = envelope;
  return {
    sender: sender === undefined ? undefined : Sender.create(sender),
    channelMessage:
      channel === undefined || messageId === undefined ? undefined : ChannelMessageRef.create({ channel, accountId, messageId }),
    replyToMessageId: envelope.replyToMessageId,
    mentioned: origin.kind === 'channel' ? envelope.mentioned : undefined,
    sentAtMs: envelope.sentAtMs,
    bookkeeping: origin.kind === 'cron' || origin.kind === 'hook' || origin.kind === 'node',
  };
}

function toResolvedRoute(envelope: InboundEnvelope, route: Route): ResolvedRoute {
  const { conversation, sender, chatType } = envelope;
  const peerId = conversation?.id ?? sender?.id;
  return ResolvedRoute.create({
    agentId: route.agentId,
    sessionKey: route.sessionKey,
    matchedBy: route.matchedBy,
    originKind: envelope.origin.kind,
    channel: envelope.channel,
    accountId: envelope.accountId,
    chatType,
    peer: peerId === undefined ? undefined : PeerRef.create({ kind: chatType ?? 'direct', id: peerId }),
    threadId: route.threadId ?? envelope.threadId,
    conversationName: conversation?.name,
    replyRoute: route.deliveryContext === undefined ? undefined : ReplyRoute.create(route.deliveryContext),
    guildId: envelope.guildId,
    teamId: envelope.teamId,
  });
}

/** The envelope of a gRPC client in the form that every door's envelope is judged in. */
function envelopeToJson(envelope: Envelope): Record<string, unknown> {
  const { originKind, attachments, cron, hook, node, text, ...rest } = envelope;
  const members = {
    ...rest,
    ...(originKind !== '' && { origin: { kind: originKind } }),
    ...(text !== '' && { text }),
    ...(attachments.length > 0 && {
      attachments: attachments.map(({ name, mimeType, content }) => ({ name, mimeType, content: content?.length ? content : '' })),
    }),
    cron,
    hook,
    node,
  };
  return withoutAbsent(members) as Record<string, unknown>;
}

function withoutAbsent(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, withoutAbsent(member)]),
  );
}

function digest(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/**
 * Deliver: an inbound message into its session, durable when it answers.
 *
 * A session that is stale is reset first, in the same mutation; a chat command is carried out instead
 * of being kept. With the message's line the turn that it asks for is journalled; where a run is active
 * or queued, the message waits with it. Without a model there is no turn, and the answer names no run.
 */
import { ForkSessionRequest, type Attachment, type DeliverRequest, type DeliverResponse, type InboundMessage } from '@sessions/contracts';
import {
  ATTACHMENTS_BYTES_MAX,
  ATTACHMENTS_MAX,
  ATTACHMENT_BYTES_MAX,
  SessionError,
  TEXT_BYTES_MAX,
  ZoneClocks,
  assertCreatableKey,
  contextTokensFor,
  cronRunKey,
  lookupCandidates,
  modelFor,
  parseSessionKey,
  type ContentBlock,
  type JsonObject,
  type MessageContent,
} from '@sessions/domain';
import { idempotencyKeyOf, type CallContext } from '@sessions/bus';
import type { MutationView } from '@sessions/store';
import { withReplyDelivered } from '../decisions/command-delivery';
import { withStatusTold, type StatusFacts } from '../decisions/inline-status';
import type { DeliverAnswer, Delivery } from '../decisions/decide-deliver';
import type { Planned } from '../decisions/planned';
import type { SpoolView } from '../decisions/spool-view';
import type { ResetRules } from '../decisions/due-reset';
import { newRecordId, uuidV7 } from '../new-ids';
import { KEEP_CHANNEL_RESULT_MS, type OwnedAgent } from '../owned-agent';
import { withSpool } from '../run-spool';
import { filesIdOf } from '../spawn-files';
import type { Uploads } from '../uploads';
import { withoutRuns } from '../stop-runs';
import { ownedFiles } from '../sweep-spawns';
import { askCompactionOfSize } from './ask-compaction';
import { askedRunOf, childMembersOf, inReplyToOf } from './asked-run';
import { commandOf, decideBareReset, planEntryCommand } from './chat-command';
import { compactFromChat } from './compact-from-chat';
import { exportFromChat } from './export-from-chat';
import { answerOf, keep, withHeldSession, type Asked } from './keep-message';
import { forkSession } from './fork-session';
import { takeInlineCommands } from './inline-commands';
import { newSessionOf } from './new-session-of';
import { originMembers } from './origin-members';
import { bytesHash, requestHash } from './request-hash';
import { countStopped, stopFamily } from './stop-family';
import { entryOfKey } from './stored-session';
import { actorOf } from './session-holds';

const IMAGE = /^image\/[a-z0-9.+-]{1,64}$/i;

/**
 * @throws VALIDATION, KEY_INVALID, TOO_LARGE, SESSION_NOT_FOUND, IDEMPOTENCY_MISMATCH, SEND_DENIED,
 * OVERLOADED, RUN_STILL_ACTIVE, ENTRY_CHANGED, or
 * what the store refuses with
 */
export async function deliver(agent: OwnedAgent, uploads: Uploads, request: DeliverRequest, context: CallContext): Promise<DeliverResponse> {
  const { route, message } = request;
  if (route === undefined || message === undefined) throw new SessionError('VALIDATION', 'a delivery needs a route and a message');
  const role = roleOf(message);
  assertCreatableKey(route.sessionKey);
  const key = route.sessionKey;
  const text = await textOf(message, agent, uploads);
  const images = await imagesOf(message.attachments, agent, uploads);
  if (text === '' && images.length === 0) throw new SessionError('VALIDATION', 'message or attachment required');
  const command = commandOf(request, text, agent);
  const asked: Asked = {
    agent,
    key,
    request: {
      method: 'Deliver',
      context,
      ...contentHashOf(request, text, images),
      ...(message.channelMessage === undefined ? {} : { keepResultMs: KEEP_CHANNEL_RESULT_MS }),
    },
  };
  const session = newSessionOf(agent, key);
  const defaultModel = modelFor(agent.deps.config(), agent.agentId);
  if (command?.do === 'entry' && command.mayRun && command.intent.kind === 'compact') {
    const { instructions } = command.intent;
    return withoutRuns(agent, { key, reason: 'compact', queuedToo: false }, () => compactFromChat(asked, instructions));
  }
  if (command?.do === 'entry' && command.mayRun && command.intent.kind === 'export-trajectory') return exportFromChat(asked, request, command.intent.name, deliveredReply(agent, request));
  if (command?.do === 'entry') {
    const stoppedRuns = command.mayRun && command.intent.kind === 'stop' ? await stopOnce(agent, key, context) : 0;
    const plan = planEntryCommand(agent, key, command, session, stoppedRuns);
    const answered = deliveredReply(agent, request);
    return agent.mutateSpooled<DeliverAnswer, DeliverResponse>((spool) => ({ ...asked.request, plan: (view) => answered(plan(view), view, spool) }), answerOf);
  }
  if (command?.do === 'reset' && command.prompt === undefined) {
    const { reason, model } = command;
    const reset = { agentId: agent.agentId, key, reason, fields: {}, session, defaultModel, model, actor: actorOf(context) };
    const answered = deliveredReply(agent, request);
    return withoutRuns(agent, { key, reason: 'reset', queuedToo: true }, () =>
      agent.use(({ spool }) => withSpool(spool, (texts) => withHeldSession(asked, (held, view) => answered(decideBareReset({ ...reset, held }, view), view, texts)))),
    );
  }
  const inline = takeInlineCommands(request, command?.prompt ?? text);
  const run = askedRunOf(agent, inline.request);
  const child = childMembersOf(request.child);
  const forkedSessionId = await forkedChild(agent, request, context);
  const delivery: Delivery = {
    agentId: agent.agentId,
    key,
    role,
    content: contentOf(inline.text, images),
    ...(message.label === undefined ? {} : { label: message.label }),
    ...(context.idempotencyKey === undefined ? {} : { idempotencyKey: context.idempotencyKey }),
    ...(request.interSession === undefined ? {} : { provenance: provenanceOf(request.interSession) }),
    bookkeeping: message.bookkeeping,
    origin: message.bookkeeping || request.interSession !== undefined ? {} : originMembers(agent.agentId, route, message.sender, agent.deps.config()),
    requireExisting: request.requireExisting,
    // Only channels say whether a group's message speaks to the agent; a command always does.
    mentioned: message.mentioned !== false || route.chatType === 'direct' || command !== undefined,
    ...cronRun(agent, key, request),
    session,
    // What is put in, and no model wrote, has a UUID as in the original.
    recordId: role === 'user' ? newRecordId() : uuidV7(agent.deps.clock.nowMs()),
    resetRules: resetRulesOf(agent, request, role),
    ...(command === undefined ? {} : { asksReset: { reason: command.reason, model: command.model, defaultModel } }),
    ...sendCheckOf(agent, request, role),
    actor: actorOf(context),
    ...(child === undefined ? {} : { child }),
    ...(forkedSessionId === undefined ? {} : { forkedSessionId }),
  };
  return agent.use(async (open) => {
    const { spool, work, spawnNotes } = open;
    const told = inline.asksStatus ? { status: statusFactsOf(agent), delivered: deliveredReply(agent, request) } : undefined;
    const answer = await withSpool(spool, (view) =>
      keep(asked, run === undefined ? delivery : { ...delivery, run: { ...run, spool: view } }, (planned, now) => (told === undefined ? planned : told.delivered(withStatusTold(planned, told.status, now), now, view))),
    );
    const filesId = filesIdOf(child?.['attachments']);
    // From here on they are the sub-agent's; of one that has ended before, a call that was made again wrote them for nobody.
    if (filesId !== undefined && (await ownedFiles(open.store, key, filesId)) !== undefined) await spawnNotes.remove(filesId).catch((err: unknown) => agent.deps.logger.warn('the note of a spawn could not be removed', { agentId: agent.agentId, err }));
    if (answer.interruptedRunId !== undefined && answer.status !== 'duplicate') work.tellToStop(answer.interruptedRunId, 'steer');
    // With a turn its end looks at the size.
    if (run === undefined && answer.status === 'accepted') await askCompactionOfSize(agent, open, answer.sessionKey);
    return answer;
  });
}

/**
 * The child's row with its parent's branch, where a spawn asks for that: made before the turn, under a
 * key that follows from the request's, so that a repeat finds it. Of another agent nothing is copied.
 */
async function forkedChild(agent: OwnedAgent, { child, route }: DeliverRequest, context: CallContext): Promise<string | undefined> {
  if (child?.fork !== true || route === undefined || !(await agent.hasStore())) return undefined;
  const parent = await agent.use(({ store }) => entryOfKey(store, child.spawnedBy));
  if (parent === undefined) return undefined;
  const idempotencyKey = `child-fork:${requestHash('Deliver', idempotencyKeyOf(context))}`;
  const contextTokens = contextTokensFor(agent.deps.config(), agent.agentId);
  const forked = await forkSession(agent, ForkSessionRequest.create({ agentId: agent.agentId, sourceKey: parent.key, targetKey: route.sessionKey, contextTokens }), { ...context, idempotencyKey });
  return forked.sessionId;
}

/** A message that comes a second time stops nothing that began since. */
function stopOnce(agent: OwnedAgent, key: string, context: CallContext): Promise<number> {
  return agent.read(
    async (store, open) => {
      if ((await store.storedResult(idempotencyKeyOf(context))) !== undefined) return 0;
      const stored = (await entryOfKey(store, key))?.key ?? key;
      return countStopped(await stopFamily(agent, open, { key: stored, reason: 'stop', cascade: true }));
    },
    () => 0,
  );
}

/** What a command answers also goes to the channel that it came from. */
function deliveredReply(agent: OwnedAgent, { route, message }: DeliverRequest): (planned: Planned<DeliverAnswer>, view: MutationView, spool: SpoolView) => Planned<DeliverAnswer> {
  const replyRoute = route?.replyRoute;
  if (route?.originKind !== 'channel' || replyRoute === undefined) return (planned) => planned;
  const delivery = { agentId: agent.agentId, route: replyRoute, inReplyTo: inReplyToOf(message?.channelMessage), messageId: newRecordId(), config: agent.deps.config() };
  return (planned, view, spool) => withReplyDelivered(planned, { ...delivery, spool }, view);
}

function statusFactsOf(agent: OwnedAgent): StatusFacts {
  const config = agent.deps.config();
  return { defaultModel: modelFor(config, agent.agentId), contextTokensOf: (model) => contextTokensFor(config, agent.agentId, model) };
}

/** Formatters of zones are dear, in memory too: one set for the process, and none before a reset asks for one. */
const ZONES = new ZoneClocks(() => new Intl.DateTimeFormat('en').resolvedOptions().timeZone);

function resetRulesOf(agent: OwnedAgent, { route, message, presentedSessionId }: DeliverRequest, role: 'user' | 'assistant'): ResetRules {
  return {
    settings: agent.deps.config().session,
    zones: ZONES,
    channel: route?.originKind === 'channel' ? route.channel : undefined,
    isMessage: role === 'user' && message?.bookkeeping !== true,
    presentedSessionId,
    headerTimes: new Map(),
  };
}

/** An operator's send is refused; the answer to what came in by itself is held back. */
function sendCheckOf(agent: OwnedAgent, { route, interSession, run }: DeliverRequest, role: 'user' | 'assistant'): Pick<Delivery, 'sendCheck'> {
  const { sendPolicy: policy } = agent.deps.config().session;
  if (role === 'assistant') return {};
  // A sub-agent's task and its result, and an announce, are nobody's send: they arrive, and nothing leaves for a channel.
  const isSent = interSession !== undefined && interSession.sourceTool === 'sessions_send';
  if (isSent || run?.source === 'agent') return { sendCheck: { point: 'agent', policy } };
  if (interSession !== undefined) return { sendCheck: { point: 'auto-reply', policy } };
  if (route?.originKind === 'webchat' && route.matchedBy === 'explicit') return { sendCheck: { point: 'chat.send', policy } };
  return { sendCheck: { point: 'auto-reply', policy } };
}

function roleOf({ role }: InboundMessage): 'user' | 'assistant' {
  if (role === 'user' || role === '') return 'user';
  if (role === 'assistant') return 'assistant';
  throw new SessionError('VALIDATION', 'role must be "user" or "assistant"');
}

/** @throws TOO_LARGE */
async function textOf(message: InboundMessage, agent: OwnedAgent, uploads: Uploads): Promise<string> {
  const text = message.textUploadId === undefined ? message.text : (await uploads.read(agent.agentId, message.textUploadId)).toString('utf8');
  const bytes = Buffer.byteLength(text);
  if (bytes > TEXT_BYTES_MAX) {
    throw new SessionError('TOO_LARGE', `the text has ${String(bytes)} bytes, more than ${String(TEXT_BYTES_MAX)}`, { facts: { bytes, bytesMax: TEXT_BYTES_MAX } });
  }
  return text;
}

/** @throws VALIDATION for what is no image, TOO_LARGE */
async function imagesOf(attachments: readonly Attachment[], agent: OwnedAgent, uploads: Uploads): Promise<ContentBlock[]> {
  if (attachments.length > ATTACHMENTS_MAX) throw new SessionError('VALIDATION', `a message has at most ${String(ATTACHMENTS_MAX)} attachments`);
  const blocks: ContentBlock[] = [];
  let totalBytes = 0;
  for (const { mimeType, content, uploadId } of attachments) {
    if (!IMAGE.test(mimeType)) throw new SessionError('VALIDATION', `attachments of type ${JSON.stringify(mimeType.slice(0, 80))} are not accepted: only images are`);
    const bytes = content ?? (uploadId === undefined ? Buffer.alloc(0) : await uploads.read(agent.agentId, uploadId));
    totalBytes += bytes.length;
    if (bytes.length > ATTACHMENT_BYTES_MAX || totalBytes > ATTACHMENTS_BYTES_MAX) {
      throw new SessionError('TOO_LARGE', 'the attachments are too large', { facts: { bytes: bytes.length, totalBytes, bytesMax: ATTACHMENT_BYTES_MAX, totalBytesMax: ATTACHMENTS_BYTES_MAX } });
    }
    blocks.push({ type: 'image', data: Buffer.from(bytes).toString('base64'), mimeType });
  }
  return blocks;
}

function contentOf(text: string, images: readonly ContentBlock[]): MessageContent {
  if (images.length === 0) return text;
  return text === '' ? images : [{ type: 'text', text }, ...images];
}

function provenanceOf({ sourceSessionKey, sourceTool, runId, hops }: NonNullable<DeliverRequest['interSession']>): JsonObject {
  return { kind: 'inter_session', sourceSessionKey, sourceTool, ...(runId === undefined ? {} : { runId }), hops };
}

/** An isolated run of a cron job is a session of its own, under a row of its own. */
function cronRun(agent: OwnedAgent, key: string, { route }: DeliverRequest): Pick<Delivery, 'beginsSession' | 'runRowKey'> {
  const parsed = parseSessionKey(key);
  if (route?.originKind === 'cron' && parsed.form === 'cron' && parsed.runId === undefined) {
    const { jobId } = parsed;
    return { beginsSession: true, runRowKey: (sessionId) => cronRunKey(agent.agentId, jobId, sessionId) };
  }
  const { runRowKey } = route ?? {};
  return { beginsSession: false, ...(runRowKey === undefined ? {} : { runRowKey: () => runRowKey }) };
}

/**
 * A client that addresses a session itself gets the first answer again, whatever it sends with the key.
 * With the key of a message to another session it is refused: that message's answer is not this one's.
 */
function isMeasuredRepeat({ route, message }: DeliverRequest): boolean {
  return route?.originKind === 'webchat' && route.matchedBy === 'explicit' && message?.channelMessage === undefined;
}

function contentHashOf(request: DeliverRequest, text: string, images: readonly ContentBlock[]): { readonly contentHash?: string } {
  if (!isMeasuredRepeat(request)) return { contentHash: hashOf(request, text, images) };
  // A run's tool call that is made again is one call, also where a label means another session by now; the
  // keys of clients, whose calls have no run, are their own choice.
  return request.interSession?.runId === undefined ? { contentHash: sessionHash(request.route?.sessionKey ?? '') } : {};
}

/** The same in every spelling of the session's key. */
function sessionHash(key: string): string {
  const [spelling = key] = [...lookupCandidates(key.toLowerCase())].sort();
  return requestHash('Deliver', ['session', spelling]);
}

/** A channel's message stays the same message when the configuration routes it elsewhere by now. */
function hashOf({ route, message, interSession }: DeliverRequest, text: string, images: readonly ContentBlock[]): string {
  const address = message?.channelMessage === undefined ? (route?.sessionKey ?? '') : '';
  const attached = images.map((image) => (image.type === 'image' ? [image.mimeType, bytesHash(Buffer.from(image.data))] : []));
  return requestHash('Deliver', [address, message?.role ?? '', text, attached, interSession?.sourceSessionKey ?? '']);
}

/** A message into a session whose key is known: attachments uploaded first, then one mutation. */
import { createHash } from 'node:crypto';
import { Attachment, DeliverRequest, InboundMessage, PutChunkRequest, ResolvedRoute, Sender } from '@sessions/contracts';
import type { ChatCommand, ChildSession, DeliverResponse, InterSession, RunRequest } from '@sessions/contracts';
import type { CallContext } from '@sessions/bus';
import { messageAuthority } from '../auth/message-authority';
import type { HandlerDeps } from '../deps';
import { LoopRest } from '../large/loop-rest';

/** Contents of one request that travel inside it, bytes; more are uploaded. */
const INLINE_BYTES_MAX = 512 * 1024;
/** One piece of an upload, bytes. */
const CHUNK_BYTES_MAX = 768 * 1024;

export interface Delivered {
  readonly agentId: string;
  readonly key: string;
  readonly text: string;
  readonly attachments: readonly Attachment[];
  /** Where it came from; absent: from an operator's client. */
  readonly route?: ResolvedRoute;
  /** Members of the message beside text and attachments. */
  readonly message?: Partial<InboundMessage>;
  /** Absent: the caller's. */
  readonly idempotencyKey?: string | undefined;
  readonly part?: string;
  readonly presentedSessionId?: string | undefined;
  /** The turn that the message asks for; absent: it is kept and announced. */
  readonly run?: RunRequest;
  /** Mark of a message that another session sends; such text is never a command. */
  readonly interSession?: InterSession;
  /** A command that has been carried out: what is kept of the message is its answer. */
  readonly command?: ChatCommand | undefined;
  /** The session is made by this message, as a sub-agent's. */
  readonly child?: ChildSession;
  /** Refused for a key without a row. */
  readonly requireExisting?: boolean;
  /** The active run ends first. */
  readonly interrupt?: boolean;
}

/**
 * An owner without a queue of turns keeps and announces the message and names no run.
 * @throws SCOPE_MISSING for a command that takes more than the caller holds, what the owner refuses with, TOO_LARGE, IDEMPOTENCY_MISMATCH among them
 */
export async function deliverTo(deps: HandlerDeps, delivered: Delivered, context: CallContext): Promise<DeliverResponse> {
  const { agentId, key, text, idempotencyKey, part } = delivered;
  const sender = senderOf(deps, delivered, context);
  const attachments = await uploaded(deps, delivered, context);
  const answer = await deps.stores.mutate(
    'deliver',
    DeliverRequest.create({
      agentId,
      route: delivered.route ?? ResolvedRoute.create({ agentId, sessionKey: key, matchedBy: 'explicit', originKind: 'webchat', channel: 'webchat', chatType: 'direct' }),
      message: InboundMessage.create({ role: 'user', text, attachments, ...delivered.message, sender }),
      presentedSessionId: delivered.presentedSessionId,
      run: delivered.run,
      interSession: delivered.interSession,
      child: delivered.child,
      command: delivered.command,
      requireExisting: delivered.requireExisting ?? false,
      interrupt: delivered.interrupt ?? false,
    }),
    context,
    { idempotencyKey, part },
  );
  deps.agents.noteWritten(agentId);
  if (answer.runId !== undefined) deps.runPlaces.note(answer.runId, agentId);
  return answer;
}

/** Who wrote it, with no more authority than the caller's rights give to what it brings. */
function senderOf(deps: HandlerDeps, { route, message = {}, interSession, run, text, attachments }: Delivered, context: CallContext): Sender | undefined {
  const { sender, bookkeeping = false, role = 'user' } = message;
  // None of these is ever read as a command; those of the command line are all refused by the owner.
  if (interSession !== undefined || bookkeeping || role !== 'user' || run?.source === 'agent') return sender;
  const { resetTriggers } = deps.config().session;
  const claim = { text, hasAttachments: attachments.length > 0, resetTriggers, claimed: sender?.authority, isOwnWords: route === undefined };
  const authority = messageAuthority(claim, context);
  return authority === undefined ? sender : Sender.create({ ...sender, authority });
}

/** Contents that are too much for one message, as uploads. */
export async function uploaded(deps: HandlerDeps, { agentId, attachments }: Pick<Delivered, 'agentId' | 'attachments'>, context: CallContext): Promise<Attachment[]> {
  const bytes = attachments.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
  if (bytes <= INLINE_BYTES_MAX) return [...attachments];
  const sent: Attachment[] = [];
  for (const attachment of attachments) {
    const { content, ...rest } = attachment;
    if (content === undefined) {
      sent.push(attachment);
      continue;
    }
    // Named after its content, so a request made again names the same upload.
    const uploadId = await hashOf(content);
    for (let index = 0, at = 0; at < content.length || index === 0; index += 1, at += CHUNK_BYTES_MAX) {
      const data = content.subarray(at, at + CHUNK_BYTES_MAX);
      const last = at + CHUNK_BYTES_MAX >= content.length;
      await deps.stores.mutate(
        'putChunk',
        PutChunkRequest.create({ agentId, uploadId, index, data, last, ...(last && { sha256: uploadId }) }),
        context,
        { part: `${uploadId.slice(0, 16)}.${index}` },
      );
    }
    sent.push(Attachment.create({ ...rest, uploadId }));
  }
  return sent;
}

/** Piece by piece: five megabytes at once would hold everybody up. */
async function hashOf(content: Buffer): Promise<string> {
  const hash = createHash('sha256');
  const rest = new LoopRest();
  for (let at = 0; at < content.length; at += CHUNK_BYTES_MAX) {
    hash.update(content.subarray(at, at + CHUNK_BYTES_MAX));
    await rest.ifDue();
  }
  return hash.digest('hex');
}

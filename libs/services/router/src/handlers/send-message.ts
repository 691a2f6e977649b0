/**
 * SendMessage and SteerSession: an operator's message into a session that there is, with the turn
 * that it asks for. Steering interrupts the active run and goes first.
 */
import { RunRequest, SendMessageResponse, SteerSessionResponse } from '@sessions/contracts';
import type { Attachment, DeliverResponse, SendMessageRequest, SteerSessionRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { idempotencyKeyOf } from '@sessions/bus';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { chosenRunId } from './chosen-run-id';
import { deliverTo } from './deliver-to';
import { assertMaySend, existingSession } from './existing-session';
import { repeatStatus } from './repeated-message';
import { runCommand } from './run-commands';

/** @throws SESSION_NOT_FOUND, SEND_DENIED, VALIDATION, TOO_LARGE */
export async function sendMessage(deps: HandlerDeps, request: SendMessageRequest, context: CallContext): Promise<SendMessageResponse> {
  const answer = await send(deps, { ...request, interrupt: false }, context);
  return SendMessageResponse.create({ ...(await toSent(deps, answer, context)), reply: answer.reply, sessionKey: answer.sessionKey, sessionId: answer.sessionId ?? '' });
}

/** @throws as `sendMessage` */
export async function steerSession(deps: HandlerDeps, request: SteerSessionRequest, context: CallContext): Promise<SteerSessionResponse> {
  const answer = await send(deps, { ...request, deliver: undefined, interrupt: true }, context);
  return SteerSessionResponse.create({ ...(await toSent(deps, answer, context)), interruptedActiveRun: answer.interruptedRunId !== undefined, sessionKey: answer.sessionKey });
}

interface Sent {
  readonly key: string;
  readonly agentId?: string | undefined;
  readonly message: string;
  readonly thinkingLevel?: string | undefined;
  readonly attachments: readonly Attachment[];
  readonly timeoutMs?: number | undefined;
  readonly deliver?: boolean | undefined;
  readonly interrupt: boolean;
}

async function send(deps: HandlerDeps, request: Sent, context: CallContext): Promise<DeliverResponse & { readonly agentId: string }> {
  if (request.message.trim() === '' && request.attachments.length === 0) throw new SessionError('VALIDATION', 'message or attachment required');
  const session = await existingSession(deps, request, context, (key) => `session not found: ${key}`);
  assertMaySend(deps, session);
  const { thinkingLevel, timeoutMs, deliver = true, interrupt } = request;
  const address = { agentId: session.agentId, key: session.key };
  const command = await runCommand(deps, { ...address, text: request.message, hasAttachments: request.attachments.length > 0, sender: { isOwner: true, isAuthorised: true } }, context);
  const answer = await deliverTo(
    deps,
    {
      command,
      agentId: session.agentId,
      key: session.key,
      text: request.message,
      attachments: request.attachments,
      run: RunRequest.create({ runId: chosenRunId(idempotencyKeyOf(context), session.agentId), deliver, thinkingLevel, timeoutMs, source: 'sessions.send', queueMode: interrupt ? 'interrupt' : '' }),
      requireExisting: true,
      interrupt,
    },
    context,
  );
  return { ...answer, agentId: session.agentId };
}

async function toSent(deps: HandlerDeps, answer: DeliverResponse & { readonly agentId: string }, context: CallContext) {
  const { messageSeq, queued } = answer;
  // A run is named after its message's idempotency key; the owner says when another one took it.
  const runId = answer.runId ?? idempotencyKeyOf(context);
  const status = answer.status === 'duplicate' ? await repeatStatus(deps, runId, answer.agentId, context) : statusOf(answer);
  return { runId, status, messageSeq, queued };
}

function statusOf({ status, runId }: DeliverResponse): string {
  if (status === 'handled') return status;
  // An owner that has no turns keeps the message; to call that started would promise an answer.
  return runId === undefined ? 'kept' : 'started';
}

/**
 * `sessions_send`: a message to another session, and its answer where that comes in time. The wait is
 * this router's, on a run that the target's owner has in its journal: who loses the answer collects it
 * by the run's id, for a day, after whatever restarts. What follows the answer (turns, an announce)
 * is carried by the run itself and delays nothing here.
 */
import { RunRequest, WaitRunRequest } from '@sessions/contracts';
import type { RunState } from '@sessions/contracts';
import { SessionError, assertCreatableKey, interSessionText, isSameKey, namedKey, parseSendArguments, parseSessionKey, requestPrompt, startExchange } from '@sessions/domain';
import type { JsonObject, SendArguments } from '@sessions/domain';
import { deliverTo } from '../handlers/deliver-to';
import { assertMaySend } from '../handlers/existing-session';
import { findRun, readRun } from '../handlers/find-run';
import { runIdOfCall } from '../handlers/minted-id';
import { waitRun } from '../handlers/wait-run';
import { channelRouteOf } from './announce-route';
import { nextInterSession } from './chain';
import { byLabel, isOwn, resolveTarget, shownKey } from './target';
import type { Target } from './target';
import { argumentsOf, failed } from './tool-call';
import type { ToolAnswer, ToolCall } from './tool-call';

/** Left of the caller's time for the answer itself, milliseconds. */
const ANSWER_MS = 500;

export async function sessionsSend(call: ToolCall, raw: unknown): Promise<ToolAnswer> {
  const asked = argumentsOf(parseSendArguments(raw));
  return asked.kind === 'collect' ? collect(call, asked) : send(call, asked);
}

async function send(call: ToolCall, asked: Extract<SendArguments, { kind: 'send' }>): Promise<ToolAnswer> {
  const { deps, caller, context } = call;
  const target = await ('label' in asked.target ? byLabel(call, asked.target.label) : resolveTarget(call, asked.target.sessionKey));
  await assertMayReceive(call, target);
  const interSession = await nextInterSession(call, 'sessions_send', target.agentId);
  const announceRoute = channelRouteOf(target.row);
  const isToParent = caller.row?.spawnedBy !== undefined && isSameKey(namedKey(caller.agentId, caller.row.spawnedBy), namedKey(target.agentId, target.key));
  const text = interSessionText(interSession, asked.message);
  const followUp = startExchange({ requesterKey: namedKey(caller.agentId, caller.key), targetKey: shownKey(target), text: asked.message, hops: interSession.hops, announceRoute, isToParent, hasTurns: caller.row !== undefined }, deps.config());
  const minted = runIdOfCall(context, target.agentId);
  const delivered = await deliverTo(
    deps,
    {
      agentId: target.agentId,
      key: target.key,
      text,
      attachments: [],
      interSession,
      run: RunRequest.create({ runId: minted, deliver: false, source: 'sessions_send', queueMode: 'queue', extraSystemPrompt: requestPrompt(namedKey(caller.agentId, caller.key)), followUp }),
      part: 'send',
    },
    context,
  );
  if (delivered.runId === undefined) return failed('the message is kept in the session; nothing answers it, because no turns run here', { sessionKey: shownKey(target) });
  const head = { runId: delivered.runId, sessionKey: shownKey(target), delivery: followUp === undefined || announceRoute === undefined ? { status: 'skipped', mode: 'none' } : { status: 'pending', mode: 'announce' } };
  if (asked.timeoutSeconds === 0) return { details: { ...head, status: 'accepted' } };
  return { details: await outcomeOf(call, target.agentId, head, asked.timeoutSeconds) };
}

/** @throws SessionError with the reason why the target takes no messages of the caller */
async function assertMayReceive(call: ToolCall, target: Target): Promise<void> {
  const { deps, context } = call;
  if (isOwn(call, target)) throw new SessionError('VALIDATION', 'sessions_send must not be sent to your own session');
  if (parseSessionKey(target.key).suffix !== undefined) throw new SessionError('VALIDATION', 'sessions_send does not reach threads and topics: send to the session of the conversation they are in');
  assertCreatableKey(target.key);
  if (target.row === undefined && (await deps.agents.find(target.agentId, context)) === undefined) throw new SessionError('AGENT_UNKNOWN', `Unknown agent id "${target.agentId}"`);
  assertMaySend(deps, { key: target.key, row: target.row });
}

async function collect(call: ToolCall, { runId, timeoutSeconds }: Extract<SendArguments, { kind: 'collect' }>): Promise<ToolAnswer> {
  const { deps, caller, context } = call;
  const found = await findRun(deps, { runId, nearAgentId: caller.agentId, sees: async (address) => !isOwn(call, address) && (await caller.sight.sees(address)) }, context);
  if (found === undefined) return failed(`No run found: ${runId}`);
  return { details: await outcomeOf(call, found.agentId, { runId, sessionKey: namedKey(found.agentId, found.run.sessionKey) }, timeoutSeconds) };
}

interface Ticket {
  readonly runId: string;
  readonly sessionKey: string;
}

async function outcomeOf({ deps, context }: ToolCall, agentId: string, head: Ticket, timeoutSeconds: number): Promise<JsonObject> {
  // Who is still there when the wait ends hears it; a caller whose own time is shorter gets the ticket in time.
  const timeoutMs = Math.max(0, Math.min(timeoutSeconds * 1000, Math.floor(context.deadlineAtMs - deps.bus.clock.nowMs()) - ANSWER_MS));
  const { state } = await waitRun(deps, WaitRunRequest.create({ runId: head.runId, agentId, timeoutMs }), context);
  if (state === 'ended') {
    const run = await readRun(deps, agentId, head.runId, context);
    if (run !== undefined) return { ...head, ...ended(run) };
  }
  if (state === 'unknown') return { ...head, status: 'error', error: `No run found: ${head.runId}` };
  return { ...head, status: 'timeout', error: `no answer within ${Math.round(timeoutMs / 1000)} s; the run goes on: do not send again, collect the answer by calling sessions_send with this runId alone` };
}

function ended({ outcome, text, errorMessage }: RunState): JsonObject {
  if (outcome === 'ok') return { status: 'ok', reply: text ?? '' };
  const why = errorMessage ?? (outcome === 'timeout' ? 'the run took longer than it may' : outcome === 'error' ? 'the run failed' : 'the run was stopped');
  return { status: 'error', error: why };
}

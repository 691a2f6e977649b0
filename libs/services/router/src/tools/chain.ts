/** The place of a message in the graph that began with a person's: how far it is, and what all of that cost. */
import { InterSession } from '@sessions/contracts';
import { HOPS_MAX, SessionError, TURN_SENDS_MAX, TURN_SENDS_TEXT, chainEnd, namedKey } from '@sessions/domain';
import { idempotencyKeyOf } from '@sessions/bus';
import { noteReached, traceSoFar } from '../handlers/trace-cost';
import type { ToolCall } from './tool-call';

/** The mark of the next message. @param targetAgentId whose session it is for. @throws SEND_DENIED where the chain has to end */
export async function nextInterSession(call: ToolCall, sourceTool: string, targetAgentId: string): Promise<InterSession> {
  const { deps, caller, context, runId, costUsd } = call;
  const hops = Math.max(call.hops, context.hops) + 1;
  if (chainEnd({ hops }, deps.config()) === 'hops') throw new SessionError('SEND_DENIED', `this chain of messages between sessions has reached its end (${HOPS_MAX} messages from a person's): answer with what you have`, { facts: { hops } });
  if (runId !== undefined && !deps.turnSends.take(runId, idempotencyKeyOf(context))) throw new SessionError('SEND_DENIED', TURN_SENDS_TEXT, { facts: { sendsMax: TURN_SENDS_MAX } });
  const traceId = traceIdOf(call);
  // A trace of an earlier release says nothing of where it began.
  const traceAgentId = call.traceId === undefined ? caller.agentId : call.traceAgentId;
  const soFar = await traceSoFar(deps, { traceId, traceAgentId, costUsd }, context);
  if (chainEnd({ hops, costUsd: soFar.costUsd }, deps.config()) === 'cost') {
    throw new SessionError('SEND_DENIED', 'this chain of messages between sessions has reached its cost limit (tools.agentToAgent.maxCostUsd): answer with what you have');
  }
  if (!soFar.agentIds.includes(targetAgentId)) await noteReached(deps, { traceId, traceAgentId }, targetAgentId, context);
  return InterSession.create({ sourceSessionKey: namedKey(caller.agentId, caller.key), sourceTool, runId, hops, traceId, traceAgentId, costUsd });
}

/** The run that a person's message started names what it leads to; a client without a run its request. */
function traceIdOf({ traceId, runId, context }: ToolCall): string {
  return traceId ?? runId ?? context.traceparent?.split('-')[1] ?? context.requestId;
}

/** The place of a message in the graph that began with a person's: how far it is, and what all of that cost. */
import { InterSession } from '@sessions/contracts';
import { HOPS_MAX, SessionError, chainEnd } from '@sessions/domain';
import { traceCost } from '../handlers/trace-cost';
import type { ToolCall } from './tool-call';

/** The mark of the next message. @throws SEND_DENIED where the chain has to end */
export async function nextInterSession(call: ToolCall, sourceTool: string): Promise<InterSession> {
  const { deps, caller, context, runId, costUsd } = call;
  const hops = Math.max(call.hops, context.hops) + 1;
  if (chainEnd({ hops }, deps.config()) === 'hops') throw new SessionError('SEND_DENIED', `this chain of messages between sessions has reached its end (${HOPS_MAX} messages from a person's): answer with what you have`, { facts: { hops } });
  const traceId = traceIdOf(call);
  if (chainEnd({ hops, costUsd: await traceCost(deps, { traceId, costUsd }, context) }, deps.config()) === 'cost') {
    throw new SessionError('SEND_DENIED', 'this chain of messages between sessions has reached its cost limit (tools.agentToAgent.maxCostUsd): answer with what you have');
  }
  return InterSession.create({ sourceSessionKey: caller.key, sourceTool, runId, hops, traceId, costUsd });
}

/** The run that a person's message started names what it leads to; a client without a run its request. */
function traceIdOf({ traceId, runId, context }: ToolCall): string {
  return traceId ?? runId ?? context.traceparent?.split('-')[1] ?? context.requestId;
}

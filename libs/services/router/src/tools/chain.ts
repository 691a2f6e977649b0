/** The place of a message in the chain that began with a person's: how far it is, and what that cost. */
import { InterSession } from '@sessions/contracts';
import { HOPS_MAX, SessionError, chainEnd } from '@sessions/domain';
import type { ToolCall } from './tool-call';

/** The mark of the next message. @throws SEND_DENIED where the chain has to end */
export function nextInterSession(call: ToolCall, sourceTool: string): InterSession {
  const { caller, context, runId, costUsd } = call;
  const hops = Math.max(call.hops, context.hops) + 1;
  const end = chainEnd({ hops, costUsd }, call.deps.config());
  if (end === 'hops') throw new SessionError('SEND_DENIED', `this chain of messages between sessions has reached its end (${HOPS_MAX} messages from a person's): answer with what you have`, { facts: { hops } });
  if (end === 'cost') throw new SessionError('SEND_DENIED', 'this chain of messages between sessions has reached its cost limit (tools.agentToAgent.maxCostUsd): answer with what you have');
  return InterSession.create({ sourceSessionKey: caller.key, sourceTool, runId, hops, traceId: call.traceId ?? traceIdOf(context.traceparent) ?? context.requestId, costUsd });
}

/** The second part of a W3C `traceparent`. */
function traceIdOf(traceparent: string | undefined): string | undefined {
  return traceparent?.split('-')[1];
}

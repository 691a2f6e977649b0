import { SendMessageRequest, SteerSessionRequest } from '@sessions/contracts';
import type { SendMessageResponse, SteerSessionResponse } from '@sessions/contracts';
import { addressOfKey } from '../../handlers/resolve-address';
import { toRequestContext } from '../request-context';
import { numberOf, textOf } from '../method';
import type { GatewayDeps, GatewayMethod, MethodCall } from '../method';
import type { Outcome } from '../connection-deps';
import { announceNoRun } from '../no-run';
import { sentContent } from '../sent-content';

/** `sessions.send`: a message into a session that there is. */
export const sessionsSend: GatewayMethod = async (deps, call) => {
  const answer = await deps.handlers.sendMessage(SendMessageRequest.create(await sentOf(call)), toRequestContext(call));
  return outcomeOf(deps, call, answer, {});
};

/** `sessions.steer`: the same, but what runs is interrupted. */
export const sessionsSteer: GatewayMethod = async (deps, call) => {
  const answer = await deps.handlers.steerSession(SteerSessionRequest.create(await sentOf(call)), toRequestContext(call));
  const { interruptedActiveRun } = answer;
  return outcomeOf(deps, call, answer, interruptedActiveRun ? { interruptedActiveRun } : {});
};

async function sentOf({ params }: MethodCall) {
  const { text, attachments } = await sentContent(params);
  return {
    key: textOf(params, 'key') ?? '',
    agentId: textOf(params, 'agentId'),
    message: text,
    attachments,
    thinkingLevel: textOf(params, 'thinking'),
    timeoutMs: numberOf(params, 'timeoutMs'),
  };
}

/** Clients of the protocol know `started` only; that nothing runs they hear at once as the run's end. */
function outcomeOf(deps: GatewayDeps, { params, context }: MethodCall, answer: SendMessageResponse | SteerSessionResponse, more: object): Outcome {
  const { runId, status, messageSeq, queued, sessionKey } = answer;
  const isKept = status === 'kept';
  return {
    payload: { runId, status: isKept ? 'started' : status, ...(messageSeq !== undefined ? { messageSeq } : queued && { queued }), ...more },
    ...(isKept && { after: () => announceNoRun(deps, runId, addressOfKey(deps, { key: sessionKey, agentId: textOf(params, 'agentId') }, context)) }),
  };
}

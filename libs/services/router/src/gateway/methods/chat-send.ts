import { RunRequest } from '@sessions/contracts';
import { assertCreatableKey } from '@sessions/domain';
import { deliverTo } from '../../handlers/deliver-to';
import { assertMaySend, findSession } from '../../handlers/existing-session';
import { resolveAddress } from '../../handlers/resolve-address';
import { flagOf, numberOf, textOf } from '../method';
import type { GatewayMethod } from '../method';
import { announceNoRun } from '../no-run';
import { sentContent } from '../sent-content';
import { chatAbort } from './chat-abort';

/** Ends what runs instead of being said. */
const STOP = /^\s*\/stop\s*$/i;

/**
 * `chat.send`: a message into a session, which it creates when it is missing.
 *
 * The answer has the form that clients know (`started`, and `ok` for a key that was seen before).
 * When no run follows, a `chat` event with state `error` ends the run for everybody right after the
 * answer: clients that wait for the end of `runId` stop waiting and can say why.
 */
export const chatSend: GatewayMethod = async (deps, call) => {
  const { params, context } = call;
  const idempotencyKey = textOf(params, 'idempotencyKey') ?? '';
  const content = sentContent(params);
  const address = await resolveAddress(deps, { key: textOf(params, 'sessionKey'), agentId: textOf(params, 'agentId') }, context);
  assertCreatableKey(address.key);
  if (STOP.test(content.text)) return chatAbort(deps, { ...call, params: { sessionKey: address.key, agentId: address.agentId } });
  assertMaySend(deps, { key: address.key, row: (await findSession(deps, address, context))?.row });
  const deliver = params.deliver === undefined || flagOf(params, 'deliver');
  const answer = await deliverTo(
    deps,
    {
      ...address,
      ...content,
      idempotencyKey,
      presentedSessionId: textOf(params, 'sessionId'),
      run: RunRequest.create({ runId: idempotencyKey, deliver, thinkingLevel: textOf(params, 'thinking'), timeoutMs: numberOf(params, 'timeoutMs'), source: 'chat.send' }),
    },
    context,
  );
  const runId = answer.runId ?? idempotencyKey;
  const { messageSeq, sessionKey } = answer;
  if (answer.status !== 'accepted') return { payload: { runId, status: 'ok', ...(messageSeq !== undefined && { messageSeq }) } };
  return {
    payload: { runId, status: 'started', ...(messageSeq !== undefined && { messageSeq }) },
    ...(answer.runId === undefined && { after: () => announceNoRun(deps, runId, { agentId: address.agentId, key: sessionKey }) }),
  };
};

import { ReplyRoute, RunRequest } from '@sessions/contracts';
import { assertCreatableKey } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { stopAll } from '../../handlers/abort-run';
import { chosenRunId } from '../../handlers/chosen-run-id';
import { deliverTo } from '../../handlers/deliver-to';
import { assertMaySend, findSession } from '../../handlers/existing-session';
import { runCommand } from '../../handlers/run-commands';
import { activeRunOfText, repeatStatus } from '../../handlers/repeated-message';
import { resolveAddress } from '../../handlers/resolve-address';
import { flagOf, numberOf, textOf } from '../method';
import type { GatewayMethod } from '../method';
import { announceNoRun, announceReply } from '../no-run';
import { sentContent } from '../sent-content';
import type { SentContent } from '../sent-content';

/** Ends what runs instead of being said. */
const STOP = /^\s*\/stop\s*$/i;

/**
 * `chat.send`: a message into a session, which it creates when it is missing.
 *
 * The answer has the form that clients know: `started`; for a key that was seen before, and for the
 * very words that an active run is at work on, `in_flight`; `ok` once the first is over. When no run
 * follows, a `chat` event with state `error` ends the run for everybody right after the answer:
 * clients that wait for the end of `runId` stop waiting and can say why.
 */
export const chatSend: GatewayMethod = async (deps, call) => {
  const { params, context } = call;
  const idempotencyKey = textOf(params, 'idempotencyKey') ?? '';
  const content = await sentContent(params);
  const address = await resolveAddress(deps, { key: textOf(params, 'sessionKey'), agentId: textOf(params, 'agentId') }, context);
  assertCreatableKey(address.key);
  chosenRunId(idempotencyKey, address.agentId);
  if (STOP.test(content.text)) {
    const { runIds, children } = await stopAll(deps, address, 'stop', context);
    return { payload: { ok: true, aborted: runIds.length + children.length > 0, runIds } };
  }
  const session = await findSession(deps, address, context);
  // A command is not said to anybody: `/send on` has to work where sending is off.
  const isCommand = content.attachments.length === 0 && content.text.trimStart().startsWith('/');
  if (!isCommand) assertMaySend(deps, { key: address.key, row: session?.row });
  const same = session !== undefined && isPlain(content) ? await activeRunOfText(deps, session, content.text, context) : undefined;
  if (same !== undefined) return { payload: { runId: same, status: 'in_flight' } };
  const command = await runCommand(deps, { ...address, text: content.text, hasAttachments: content.attachments.length > 0, sender: { isOwner: true, isAuthorised: true } }, context);
  const deliver = params.deliver === undefined || flagOf(params, 'deliver');
  const answer = await deliverTo(
    deps,
    {
      ...address,
      ...content,
      idempotencyKey,
      command,
      presentedSessionId: textOf(params, 'sessionId'),
      run: RunRequest.create({ runId: idempotencyKey, deliver, replyRoute: originOf(params), thinkingLevel: textOf(params, 'thinking'), timeoutMs: numberOf(params, 'timeoutMs'), source: 'chat.send' }),
    },
    context,
  );
  const runId = answer.runId ?? idempotencyKey;
  const { messageSeq, sessionKey } = answer;
  const place = messageSeq !== undefined && { messageSeq };
  if (answer.status === 'duplicate') return { payload: { runId, status: await repeatStatus(deps, runId, address.agentId, context), ...place } };
  if (answer.status !== 'accepted') {
    const { reply } = answer;
    return { payload: { runId, status: 'ok', ...place }, ...(reply !== undefined && { after: () => announceReply(deps, runId, { agentId: address.agentId, key: sessionKey }, reply) }) };
  }
  const { reply } = answer;
  const answered = { agentId: address.agentId, key: sessionKey };
  const after = (): void => {
    // Beside the run, which has its own end.
    if (reply !== undefined) announceReply(deps, `${runId}:status`, answered, reply);
    if (answer.runId === undefined) announceNoRun(deps, runId, answered);
  };
  return { payload: { runId, status: 'started', ...place }, after };
};

/** Neither a command nor anything that is not all said in its text. */
const isPlain = ({ text, attachments }: SentContent): boolean => attachments.length === 0 && !text.trimStart().startsWith('/');

/** Where the message came from, when a client passes on what a channel brought. */
function originOf(params: JsonObject): ReplyRoute | undefined {
  const channel = textOf(params, 'originatingChannel');
  const to = textOf(params, 'originatingTo');
  if (channel === undefined || to === undefined || channel === '' || to === '') return undefined;
  return ReplyRoute.create({ channel, to, accountId: textOf(params, 'originatingAccountId'), threadId: textOf(params, 'originatingThreadId') });
}

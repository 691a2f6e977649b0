import { Attachment } from '@sessions/contracts';
import { SessionError, assertCreatableKey, isJsonObject, parseEnvelope } from '@sessions/domain';
import type { JsonValue } from '@sessions/domain';
import { deliverTo } from '../../handlers/deliver-to';
import { resolveAddress } from '../../handlers/resolve-address';
import { textOf } from '../method';
import type { GatewayMethod } from '../method';

const NO_RUN = 'The message is kept, but no run starts: no agent runner is connected.';

/**
 * `chat.send`: a message into a session, which it creates when it is missing.
 *
 * The answer has the form that clients know (`started`, and `ok` for a key that was seen before).
 * When no run follows, a `chat` event with state `error` ends the run for everybody right after the
 * answer: clients that wait for the end of `runId` stop waiting and can say why.
 */
export const chatSend: GatewayMethod = async (deps, { params, context }) => {
  const idempotencyKey = textOf(params, 'idempotencyKey') ?? '';
  const text = textOf(params, 'message') ?? '';
  const files = Array.isArray(params.attachments) ? (params.attachments as readonly JsonValue[]) : [];
  if (text.trim() === '' && files.length === 0) throw new SessionError('VALIDATION', 'message or attachment required');
  // The same bounds as for messages from outside.
  const checked = parseEnvelope({ origin: { kind: 'webchat' }, text, ...(files.length > 0 && { attachments: files.map(toFile) }) });
  const address = await resolveAddress(deps, { key: textOf(params, 'sessionKey'), agentId: textOf(params, 'agentId') }, context);
  assertCreatableKey(address.key);
  const answer = await deliverTo(
    deps,
    {
      ...address,
      text: checked.text,
      attachments: checked.attachments.map(({ name, mimeType, content }) =>
        Attachment.create({ name, mimeType, content: Buffer.from(content, 'base64') }),
      ),
      idempotencyKey,
      presentedSessionId: textOf(params, 'sessionId'),
    },
    context,
  );
  const runId = answer.runId ?? idempotencyKey;
  const { messageSeq } = answer;
  if (answer.status !== 'accepted') return { payload: { runId, status: 'ok', ...(messageSeq !== undefined && { messageSeq }) } };
  return {
    payload: { runId, status: 'started', ...(messageSeq !== undefined && { messageSeq }) },
    ...(answer.runId === undefined && {
      after: () => deps.broadcast('chat', { runId, sessionKey: answer.sessionKey, seq: 0, state: 'error', errorMessage: NO_RUN }),
    }),
  };
};

/** Clients name the file `fileName`; the content may be a data URL. */
function toFile(value: JsonValue): Record<string, unknown> {
  if (!isJsonObject(value)) throw new SessionError('VALIDATION', 'an attachment must be an object');
  const content = typeof value.content === 'string' ? value.content.replace(/^data:[^,]{0,200};base64,/, '') : value.content;
  return { name: value.fileName ?? value.name ?? 'file', mimeType: value.mimeType ?? 'application/octet-stream', content };
}

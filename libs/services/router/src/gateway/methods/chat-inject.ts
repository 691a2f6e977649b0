import { SessionError } from '@sessions/domain';
import { deliverTo } from '../../handlers/deliver-to';
import { existingSession } from '../../handlers/existing-session';
import { textOf } from '../method';
import type { GatewayMethod } from '../method';

/** `chat.inject`: an assistant's message that no model wrote, into a session that there is. */
export const chatInject: GatewayMethod = async (deps, { params, context }) => {
  const asked = { key: textOf(params, 'sessionKey'), agentId: textOf(params, 'agentId') };
  const { agentId, key } = await existingSession(deps, asked, context, () => 'session not found');
  const { messageId } = await deliverTo(
    deps,
    { agentId, key, text: textOf(params, 'message') ?? '', attachments: [], message: { role: 'assistant', label: textOf(params, 'label') }, requireExisting: true },
    context,
  );
  if (messageId === undefined) throw new SessionError('INTERNAL', 'the injected message was not appended');
  return { payload: { ok: true, messageId } };
};

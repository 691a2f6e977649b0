import { SessionError } from '@sessions/domain';
import { storedAddressOfKey } from '../../handlers/resolve-address';
import { FOLLOWED_KEYS_MAX } from '../connection-bounds';
import type { Connection } from '../connection';
import { textOf } from '../method';
import type { GatewayDeps, GatewayMethod, MethodCall } from '../method';

/** Nodes act for themselves; events of sessions are for operators. */
const mayFollow = (connection: Connection): boolean => connection.role === 'operator';

/** `sessions.subscribe`: every event from now on. */
export const sessionsSubscribe: GatewayMethod = async (_deps, { connection }) => {
  connection.followAll(mayFollow(connection));
  return { payload: { subscribed: connection.followsAll } };
};

/** `sessions.unsubscribe`. */
export const sessionsUnsubscribe: GatewayMethod = async (_deps, { connection }) => {
  connection.followAll(false);
  return { payload: { subscribed: false } };
};

/** `sessions.messages.subscribe`: messages of one session, also of one that is yet to appear. */
export const sessionsMessagesSubscribe: GatewayMethod = async (deps, call) => {
  const key = await keyOf(deps, call);
  const { followedKeys } = call.connection;
  if (!followedKeys.has(key) && followedKeys.size >= FOLLOWED_KEYS_MAX) {
    throw new SessionError('OVERLOADED', `a connection follows at most ${FOLLOWED_KEYS_MAX} sessions`);
  }
  const subscribed = mayFollow(call.connection);
  if (subscribed) call.connection.followKey(key, true);
  return { payload: { subscribed, key } };
};

/** `sessions.messages.unsubscribe`. */
export const sessionsMessagesUnsubscribe: GatewayMethod = async (deps, call) => {
  const key = await keyOf(deps, call);
  call.connection.followKey(key, false);
  return { payload: { subscribed: false, key } };
};

async function keyOf(deps: GatewayDeps, { params, context }: MethodCall): Promise<string> {
  return (await storedAddressOfKey(deps, { key: textOf(params, 'key'), agentId: textOf(params, 'agentId') }, context)).key;
}

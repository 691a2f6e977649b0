/** Binding of a spawned session to the thread that its requester speaks in (tools §6, config `threadBindings`). */
import type { ReplyRoute } from '@sessions/contracts';
import { SessionError, parseSessionKey } from '@sessions/domain';
import type { BoundSession, JsonObject } from '@sessions/domain';
import { hasBoundThreads, threadSettings } from '../threads/bound-thread';
import { channelRouteOf } from './announce-route';
import type { ToolCall } from './tool-call';

export interface ThreadBinding {
  readonly route: ReplyRoute;
  /** As the child's entry keeps it. */
  readonly member: JsonObject;
  /** As the thread's entry keeps it, once there is a child. */
  readonly boundTo: (sessionKey: string) => BoundSession;
}

/** @throws VALIDATION where bindings are off, or the channel or the place has no thread */
export function threadBindingOf({ deps, caller, replyRoute }: ToolCall): ThreadBinding {
  const { enabled, spawnSessions, idleHours, maxAgeHours } = threadSettings(deps.config());
  if (!enabled || !spawnSessions) throw new SessionError('VALIDATION', 'thread: sessions bound to threads are switched off (session.threadBindings)');
  const route = replyRoute ?? channelRouteOf(caller.row);
  if (route === undefined) throw new SessionError('VALIDATION', 'thread: this session has no channel whose thread could be bound');
  if (!hasBoundThreads(route.channel)) throw new SessionError('VALIDATION', `thread: the channel ${route.channel} does not support bound threads`);
  if (route.threadId === undefined) throw new SessionError('VALIDATION', 'thread: the message came from no thread that could be bound');
  if (parseSessionKey(caller.key).suffix?.id.toLowerCase() !== route.threadId.toLowerCase()) throw new SessionError('VALIDATION', 'thread: only the session of a thread can bind it');
  const { channel, to, accountId, threadId } = route;
  const boundAtMs = deps.clock.nowMs();
  return { route, member: { channel, to, accountId, threadId, boundAt: boundAtMs }, boundTo: (sessionKey) => ({ sessionKey, boundAtMs, idleHours, maxAgeHours }) };
}

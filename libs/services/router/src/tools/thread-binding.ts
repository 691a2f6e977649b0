/** Binding of a spawned session to the thread that its requester speaks in (tools §6, config `threadBindings`). */
import type { ReplyRoute } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { channelRouteOf } from './announce-route';
import type { ToolCall } from './tool-call';

/** Channels whose threads can be bound. */
const THREAD_CHANNELS: ReadonlySet<string> = new Set(['discord']);

export interface ThreadBinding {
  readonly route: ReplyRoute;
  /** As the child's entry keeps it. */
  readonly member: JsonObject;
}

/** @throws VALIDATION where bindings are off, or the channel or the place has no thread */
export function threadBindingOf({ deps, caller, replyRoute }: ToolCall): ThreadBinding {
  const { enabled, spawnSessions, idleHours, maxAgeHours } = deps.config().session.threadBindings;
  if (!enabled || !spawnSessions) throw new SessionError('VALIDATION', 'thread: sessions bound to threads are switched off (session.threadBindings)');
  const route = replyRoute ?? channelRouteOf(caller.row);
  if (route === undefined) throw new SessionError('VALIDATION', 'thread: this session has no channel whose thread could be bound');
  if (!THREAD_CHANNELS.has(route.channel)) throw new SessionError('VALIDATION', `thread: the channel ${route.channel} does not support bound threads`);
  if (route.threadId === undefined) throw new SessionError('VALIDATION', 'thread: the message came from no thread that could be bound');
  const { channel, to, accountId, threadId } = route;
  return { route, member: { channel, to, accountId, threadId, boundAt: deps.clock.nowMs(), idleHours, maxAgeHours } };
}

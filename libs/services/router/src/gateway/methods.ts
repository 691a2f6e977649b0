/** Every method of the gateway by name: those served, and those known but served elsewhere or later. */
import { randomUUID } from 'node:crypto';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { SCOPE, holdsScope, scopeOf } from '../auth/scopes';
import type { Connection, Outcome } from './connection';
import { FrameRefusal } from './gateway-frames';
import type { RequestFrame } from './gateway-frames';
import type { GatewayDeps, GatewayMethod } from './method';
import { checkedParams } from './method-params';
import { agentsList } from './methods/agents-list';
import { chatHistory } from './methods/chat-history';
import { chatSend } from './methods/chat-send';
import { health, status } from './methods/health';
import { sessionsCreate } from './methods/sessions-create';
import { sessionsDescribe } from './methods/sessions-describe';
import { sessionsGet } from './methods/sessions-get';
import { sessionsList } from './methods/sessions-list';
import { sessionsPatch } from './methods/sessions-patch';
import { sessionsPreview } from './methods/sessions-preview';
import { sessionsResolve } from './methods/sessions-resolve';
import { sessionsSearch } from './methods/sessions-search';
import {
  sessionsMessagesSubscribe, sessionsMessagesUnsubscribe, sessionsSubscribe, sessionsUnsubscribe,
} from './methods/sessions-subscribe';
import { sessionsVerify } from './methods/sessions-verify';

const METHODS: Readonly<Record<string, GatewayMethod>> = {
  'agents.list': agentsList,
  'chat.history': chatHistory,
  'chat.send': chatSend,
  health,
  'sessions.create': sessionsCreate,
  'sessions.describe': sessionsDescribe,
  'sessions.get': sessionsGet,
  'sessions.list': sessionsList,
  'sessions.messages.subscribe': sessionsMessagesSubscribe,
  'sessions.messages.unsubscribe': sessionsMessagesUnsubscribe,
  'sessions.patch': sessionsPatch,
  'sessions.preview': sessionsPreview,
  'sessions.resolve': sessionsResolve,
  'sessions.search': sessionsSearch,
  'sessions.subscribe': sessionsSubscribe,
  'sessions.unsubscribe': sessionsUnsubscribe,
  'sessions.verify': sessionsVerify,
  status,
};

/** Methods of the protocol that this gateway knows by name and does not serve. */
const NOT_SERVED: ReadonlySet<string> = new Set([
  'agent', 'agent.identity.get', 'agent.wait', 'chat.abort', 'chat.inject', 'chat.message.get', 'chat.metadata', 'chat.startup',
  'config.get', 'config.patch', 'config.schema', 'config.set', 'sessions.abort', 'sessions.archives.list', 'sessions.cleanup',
  'sessions.compact', 'sessions.compaction.branch', 'sessions.compaction.get', 'sessions.compaction.list',
  'sessions.compaction.restore', 'sessions.delete', 'sessions.files.get', 'sessions.files.list', 'sessions.pluginPatch',
  'sessions.reset', 'sessions.restore', 'sessions.send', 'sessions.steer', 'sessions.usage', 'sessions.usage.logs',
  'sessions.usage.timeseries', 'tasks.cancel', 'tools.invoke',
]);

/** Served, but not announced: clients of the protocol do not expect them in the list. */
const UNLISTED: ReadonlySet<string> = new Set(['sessions.get', 'sessions.resolve']);

/** What `hello-ok` announces. */
export const ANNOUNCED_METHODS: readonly string[] = Object.keys(METHODS).filter((name) => !UNLISTED.has(name));
export const ANNOUNCED_EVENTS: readonly string[] = [
  'agent', 'chat', 'session.message', 'session.operation', 'sessions.changed', 'tick', 'shutdown', 'health',
];

/** Time for one request, milliseconds. */
const REQUEST_DEADLINE_MS = 30_000;

export function contextOf(deps: Pick<GatewayDeps, 'bus'>, connection: Connection): CallContext {
  return {
    caller: `client:${connection.connId}`,
    scopes: connection.scopes,
    requestId: randomUUID(),
    idempotencyKey: undefined,
    traceparent: undefined,
    tracestate: undefined,
    hops: 0,
    signal: connection.signal,
    deadlineAtMs: deps.bus.clock.nowMs() + REQUEST_DEADLINE_MS,
  };
}

/** @throws SCOPE_MISSING, VALIDATION, a FrameRefusal, or what the method refuses with */
export async function serveRequest(deps: GatewayDeps, connection: Connection, { method, params }: RequestFrame): Promise<Outcome> {
  if (method === 'connect') throw new SessionError('VALIDATION', 'connect is only valid as the first request');
  const needed = scopeOf(method);
  if (!holdsScope(connection.scopes, needed)) {
    throw new SessionError('SCOPE_MISSING', `missing scope: ${needed}`, { facts: { scope: needed } });
  }
  const serve = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
  if (serve === undefined) throw notServed(method);
  return serve(deps, { method, params: checkedParams(method, params), connection, context: contextOf(deps, connection) });
}

function notServed(method: string): Error {
  if (!NOT_SERVED.has(method)) return new SessionError('UNSUPPORTED', `unknown method: ${method.slice(0, 200)}`);
  return new FrameRefusal({
    code: 'UNAVAILABLE',
    message: `${method} is not served by this gateway`,
    details: { reason: 'UNSUPPORTED' },
    retryable: false,
  });
}

/** Connections that hear scope-gated broadcasts. */
export const hearsBroadcasts = (connection: Connection): boolean => holdsScope(connection.scopes, SCOPE.read);

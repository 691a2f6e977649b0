/** Every method of the gateway by name: those served, and those known but served elsewhere or later. */
import { randomUUID } from 'node:crypto';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { scopeOf } from '../auth/operations';
import { SCOPE, holdsScope } from '../auth/scopes';
import type { Connection } from './connection';
import type { Outcome } from './connection-deps';
import { FrameRefusal } from './gateway-frames';
import type { RequestFrame } from './gateway-frames';
import type { GatewayDeps, GatewayMethod } from './method';
import { checkedParams } from './method-params';
import {
  channelsStatus, cronList, cronRuns, cronStatus, diagnosticsStability, lastHeartbeat, nodeList, pluginApprovalList, tasksList,
} from './methods/absent-parts';
import { agent, agentIdentityGet, agentWait } from './methods/agent';
import { agentsList } from './methods/agents-list';
import { artifactsList } from './methods/artifacts-list';
import { chatAbort } from './methods/chat-abort';
import { chatHistory, chatMetadata, chatStartup } from './methods/chat-history';
import { chatInject } from './methods/chat-inject';
import { chatMessageGet } from './methods/chat-message-get';
import { chatSend } from './methods/chat-send';
import { commandsList } from './methods/commands-list';
import { configGet } from './methods/config-get';
import { execApprovalGet, execApprovalList, execApprovalResolve } from './methods/exec-approval';
import { health } from './methods/health';
import { modelsAuthStatus, modelsList } from './methods/models-list';
import { sessionsAbort } from './methods/sessions-abort';
import { sessionsCleanup } from './methods/sessions-cleanup';
import { sessionsCompact } from './methods/sessions-compact';
import { sessionsCompactionBranch, sessionsCompactionGet, sessionsCompactionList, sessionsCompactionRestore } from './methods/sessions-compaction';
import { sessionsCreate } from './methods/sessions-create';
import { sessionsDelete } from './methods/sessions-delete';
import { sessionsDescribe } from './methods/sessions-describe';
import { sessionsErase } from './methods/sessions-erase';
import { sessionsFilesGet, sessionsFilesList } from './methods/sessions-files';
import { sessionsGet } from './methods/sessions-get';
import { sessionsImport, sessionsImportChunk } from './methods/sessions-import';
import { sessionsList } from './methods/sessions-list';
import { sessionsPatch } from './methods/sessions-patch';
import { sessionsPluginPatch } from './methods/sessions-plugin-patch';
import { sessionsPreview } from './methods/sessions-preview';
import { sessionsReset } from './methods/sessions-reset';
import { sessionsResolve } from './methods/sessions-resolve';
import { sessionsArchivesList, sessionsRestore } from './methods/sessions-restore';
import { sessionsSearch } from './methods/sessions-search';
import { sessionsSend, sessionsSteer } from './methods/sessions-send';
import {
  sessionsMessagesSubscribe, sessionsMessagesUnsubscribe, sessionsSubscribe, sessionsUnsubscribe,
} from './methods/sessions-subscribe';
import { sessionsUsage, sessionsUsageLogs, sessionsUsageTimeseries } from './methods/sessions-usage';
import { sessionsVerify } from './methods/sessions-verify';
import { status } from './methods/status';
import { systemPresence } from './methods/system-presence';
import { toolsInvoke } from './methods/tools-invoke';
import { usageCost, usageStatus } from './methods/usage-cost';

const METHODS: Readonly<Record<string, GatewayMethod>> = {
  agent,
  'agent.identity.get': agentIdentityGet,
  'agent.wait': agentWait,
  'agents.list': agentsList,
  'artifacts.list': artifactsList,
  'channels.status': channelsStatus,
  'chat.abort': chatAbort,
  'chat.history': chatHistory,
  'chat.inject': chatInject,
  'chat.message.get': chatMessageGet,
  'chat.metadata': chatMetadata,
  'chat.send': chatSend,
  'chat.startup': chatStartup,
  'commands.list': commandsList,
  'config.get': configGet,
  'cron.list': cronList,
  'cron.runs': cronRuns,
  'cron.status': cronStatus,
  'diagnostics.stability': diagnosticsStability,
  'exec.approval.get': execApprovalGet,
  'exec.approval.list': execApprovalList,
  'exec.approval.resolve': execApprovalResolve,
  health,
  'last-heartbeat': lastHeartbeat,
  'models.authStatus': modelsAuthStatus,
  'models.list': modelsList,
  'node.list': nodeList,
  'plugin.approval.list': pluginApprovalList,
  'sessions.abort': sessionsAbort,
  'sessions.archives.list': sessionsArchivesList,
  'sessions.cleanup': sessionsCleanup,
  'sessions.compact': sessionsCompact,
  'sessions.compaction.branch': sessionsCompactionBranch,
  'sessions.compaction.get': sessionsCompactionGet,
  'sessions.compaction.list': sessionsCompactionList,
  'sessions.compaction.restore': sessionsCompactionRestore,
  'sessions.create': sessionsCreate,
  'sessions.delete': sessionsDelete,
  'sessions.describe': sessionsDescribe,
  'sessions.files.get': sessionsFilesGet,
  'sessions.files.list': sessionsFilesList,
  'sessions.get': sessionsGet,
  'sessions.import': sessionsImport,
  'sessions.import.chunk': sessionsImportChunk,
  'sessions.list': sessionsList,
  'sessions.messages.subscribe': sessionsMessagesSubscribe,
  'sessions.messages.unsubscribe': sessionsMessagesUnsubscribe,
  'sessions.patch': sessionsPatch,
  'sessions.pluginPatch': sessionsPluginPatch,
  'sessions.preview': sessionsPreview,
  'sessions.reset': sessionsReset,
  'sessions.resolve': sessionsResolve,
  'sessions.restore': sessionsRestore,
  'sessions.erase': sessionsErase,
  'sessions.search': sessionsSearch,
  'sessions.send': sessionsSend,
  'sessions.steer': sessionsSteer,
  'sessions.subscribe': sessionsSubscribe,
  'sessions.unsubscribe': sessionsUnsubscribe,
  'sessions.usage': sessionsUsage,
  'sessions.usage.logs': sessionsUsageLogs,
  'sessions.usage.timeseries': sessionsUsageTimeseries,
  'sessions.verify': sessionsVerify,
  status,
  'system-presence': systemPresence,
  'tasks.list': tasksList,
  'tools.invoke': toolsInvoke,
  'usage.cost': usageCost,
  'usage.status': usageStatus,
};

/** Methods of the protocol that no contract of this system stands behind, and why. */
const NOT_SERVED: Readonly<Record<string, string>> = {
  'config.patch': 'the configuration is changed in its file',
  'config.schema': 'the configuration is changed in its file',
  'config.set': 'the configuration is changed in its file',
  'tasks.cancel': 'no agent runner is connected',
};

/** Served, but not announced: clients of the protocol do not expect them in the list. */
const UNLISTED: ReadonlySet<string> = new Set([
  'chat.inject', 'sessions.get', 'sessions.import', 'sessions.import.chunk', 'sessions.resolve', 'sessions.steer', 'sessions.usage', 'sessions.usage.logs', 'sessions.usage.timeseries', 'usage.cost', 'usage.status',
]);

/** Every method that is served, by name. */
export const SERVED_METHODS: readonly string[] = Object.keys(METHODS);
/** Every method that is known by name, served or not. */
export const KNOWN_METHODS: readonly string[] = [...SERVED_METHODS, ...Object.keys(NOT_SERVED)];
/** What `hello-ok` announces. */
export const ANNOUNCED_METHODS: readonly string[] = SERVED_METHODS.filter((name) => !UNLISTED.has(name));
export const ANNOUNCED_EVENTS: readonly string[] = [
  'agent', 'chat', 'exec.approval.requested', 'exec.approval.resolved', 'session.message', 'session.operation', 'session.tool', 'sessions.changed', 'tick', 'shutdown', 'health',
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
  const noteMissingScope = (): void => deps.audit({ door: 'websocket', operation: KNOWN_METHODS.includes(method) ? method : 'other', reason: 'SCOPE_MISSING', address: connection.address });
  if (!holdsScope(connection.scopes, needed)) {
    noteMissingScope();
    throw new SessionError('SCOPE_MISSING', `missing scope: ${needed}`, { facts: { scope: needed } });
  }
  const serve = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
  if (serve === undefined && !Object.hasOwn(NOT_SERVED, method)) throw new SessionError('UNSUPPORTED', `unknown method: ${method.slice(0, 200)}`);
  const checked = checkedParams(method, params);
  if (serve === undefined) throw unavailable(`${method} is not served by this gateway: ${NOT_SERVED[method] ?? ''}`);
  try {
    return await serve(deps, { method, params: checked, connection, context: contextOf(deps, connection) });
  } catch (error) {
    if (error instanceof SessionError && error.reason === 'SCOPE_MISSING') noteMissingScope();
    if (!(error instanceof SessionError) || error.reason !== 'UNSUPPORTED') throw error;
    // The method is known; a service behind it does not serve what it needs.
    throw unavailable(`${method} is not available: ${error.message}`);
  }
}

function unavailable(message: string): FrameRefusal {
  return new FrameRefusal({ code: 'UNAVAILABLE', message, details: { reason: 'UNSUPPORTED' }, retryable: false });
}

/** Connections that hear scope-gated broadcasts. */
export const hearsBroadcasts = (connection: Connection): boolean => holdsScope(connection.scopes, SCOPE.read);

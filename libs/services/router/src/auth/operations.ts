/**
 * What can be done through the doors, and the scope it takes: one table for the WebSocket's methods,
 * the RouterService's and the routes of HTTP, so that no door gives what another refuses.
 */
import { SCOPE } from './scope-words';
import type { OperatorScope } from './scope-words';

export interface Operation {
  readonly scope: OperatorScope;
  /** Names of the gateway protocol. */
  readonly methods: readonly string[];
  /** Name in the RouterService. */
  readonly rpc?: string;
  /** Method and path of HTTP. */
  readonly routes?: readonly string[];
}

const operation = (scope: OperatorScope, methods: readonly string[], rpc?: string, routes?: readonly string[]): Operation => ({
  scope,
  methods,
  ...(rpc !== undefined && { rpc }),
  ...(routes !== undefined && { routes }),
});
const { read, write, admin, approvals } = SCOPE;

export const OPERATIONS: readonly Operation[] = [
  operation(read, ['sessions.list'], 'ListSessions'),
  operation(read, ['sessions.describe'], 'DescribeSession'),
  operation(read, ['sessions.resolve'], 'ResolveSession'),
  operation(read, ['sessions.preview'], 'PreviewSessions'),
  operation(read, ['sessions.search'], 'SearchSessions'),
  operation(read, ['sessions.usage', 'sessions.usage.timeseries', 'sessions.usage.logs', 'usage.cost', 'usage.status'], 'GetUsage'),
  operation(read, ['sessions.get', 'chat.history', 'chat.startup', 'chat.metadata', 'chat.message.get'], 'GetHistory', ['GET /sessions/{sessionKey}/history']),
  operation(read, ['sessions.subscribe', 'sessions.unsubscribe', 'sessions.messages.subscribe', 'sessions.messages.unsubscribe'], 'Subscribe'),
  operation(read, ['sessions.files.list'], 'ListSessionFiles'),
  operation(read, ['sessions.files.get'], 'GetSessionFile'),
  operation(read, ['sessions.compaction.list', 'sessions.compaction.get']),
  operation(read, ['sessions.archives.list']),
  operation(read, ['agents.list', 'agent.identity.get'], 'ListAgents'),
  operation(read, ['artifacts.list']),
  operation(read, ['models.list', 'models.authStatus', 'commands.list']),
  operation(read, ['health', 'status', 'system-presence', 'diagnostics.stability']),
  operation(read, ['tasks.list', 'cron.list', 'cron.status', 'cron.runs', 'node.list', 'channels.status', 'last-heartbeat']),
  // As the original has it: a page that shows sessions asks for it. Who is restricted to agents is refused by the method itself.
  operation(read, ['config.get']),
  operation(read, [], undefined, ['GET /metrics']),

  operation(write, [], 'SubmitMessage', ['POST /v1/messages']),
  operation(write, [], 'StreamDeliveries', ['GET /v1/deliveries']),
  operation(write, [], 'AckDelivery', ['POST /v1/deliveries/{deliveryId}/ack']),
  operation(write, ['sessions.create'], 'CreateSession'),
  operation(write, ['sessions.send', 'chat.send', 'agent'], 'SendMessage'),
  operation(write, ['sessions.steer'], 'SteerSession'),
  operation(write, ['sessions.abort', 'chat.abort'], 'AbortRun'),
  operation(write, ['agent.wait'], 'WaitRun'),
  operation(write, ['sessions.compaction.branch']),
  operation(write, ['tools.invoke'], 'InvokeTool', ['POST /tools/invoke', 'POST /mcp', 'DELETE /mcp']),

  operation(approvals, ['exec.approval.list', 'exec.approval.get', 'exec.approval.resolve', 'plugin.approval.list']),

  operation(admin, ['sessions.patch', 'sessions.pluginPatch'], 'PatchSession'),
  operation(admin, ['sessions.reset'], 'ResetSession'),
  operation(admin, ['sessions.delete'], 'DeleteSession'),
  operation(admin, ['sessions.restore', 'sessions.compaction.restore'], 'RestoreSession'),
  operation(admin, ['sessions.erase'], 'EraseSession'),
  operation(admin, ['sessions.compact'], 'CompactSession'),
  operation(admin, ['sessions.cleanup'], 'Cleanup'),
  operation(admin, ['sessions.verify']),
  operation(admin, ['sessions.import', 'sessions.import.chunk']),
  operation(admin, [], 'KillSession', ['POST /sessions/{sessionKey}/kill']),
  operation(admin, ['chat.inject']),
  operation(admin, ['config.set', 'config.patch', 'config.schema']),
  operation(admin, ['tasks.cancel']),
];

const byName = (namesOf: (operation: Operation) => readonly string[]): ReadonlyMap<string, OperatorScope> =>
  new Map(OPERATIONS.flatMap((one) => namesOf(one).map((name) => [name, one.scope] as const)));

const METHODS = byName(({ methods }) => methods);
const RPCS = byName(({ rpc }) => (rpc === undefined ? [] : [rpc]));
const ROUTES = byName(({ routes = [] }) => routes);

/** Admin for whatever is not named. */
export const scopeOf = (method: string): OperatorScope => METHODS.get(method) ?? admin;
export const scopeOfRpc = (method: string): OperatorScope => RPCS.get(method) ?? admin;
/** @param route method and path as in `OPERATIONS` */
export const scopeOfRoute = (route: string): OperatorScope => ROUTES.get(route) ?? admin;

/**
 * The least scope each gateway method needs (gateway protocol, measured): a client asks for no
 * more than the call it is about to make.
 */
export type OperatorScope = `operator.${'admin' | 'read' | 'write' | 'approvals' | 'pairing' | 'talk.secrets'}`;

const READ = new Set([
  'sessions.list', 'sessions.subscribe', 'sessions.unsubscribe', 'sessions.messages.subscribe', 'sessions.messages.unsubscribe',
  'sessions.preview', 'sessions.search', 'sessions.describe', 'sessions.get', 'sessions.resolve', 'sessions.usage', 'sessions.usage.timeseries',
  'sessions.usage.logs', 'usage.cost', 'usage.status', 'sessions.files.list', 'sessions.files.get', 'sessions.compaction.list', 'sessions.compaction.get',
  'chat.history', 'chat.startup', 'chat.metadata', 'chat.message.get', 'agent.identity.get', 'agents.list', 'health', 'status', 'models.list',
  'models.authStatus', 'commands.list', 'artifacts.list', 'sessions.archives.list', 'system-presence', 'diagnostics.stability', 'tasks.list', 'cron.list', 'cron.status', 'cron.runs', 'node.list', 'channels.status',
  'last-heartbeat', 'config.get',
]);
const WRITE = new Set([
  'sessions.create', 'sessions.send', 'sessions.steer', 'sessions.abort', 'sessions.compaction.branch', 'chat.send', 'chat.abort',
  'agent', 'agent.wait', 'tools.invoke', 'tasks.cancel',
]);
const ADMIN = new Set([
  'sessions.patch', 'sessions.pluginPatch', 'sessions.cleanup', 'sessions.reset', 'sessions.delete', 'sessions.restore', 'sessions.erase', 'sessions.compact',
  'sessions.compaction.restore', 'sessions.import', 'sessions.import.chunk', 'chat.inject',
]);
const APPROVALS = new Set(['exec.approval.list', 'exec.approval.get', 'exec.approval.resolve', 'plugin.approval.list']);
const EVERY: readonly OperatorScope[] = [
  'operator.admin', 'operator.read', 'operator.write', 'operator.approvals', 'operator.pairing', 'operator.talk.secrets',
];

/** An unknown method may need any scope, so all are asked for. */
export function leastScopes(method: string): readonly OperatorScope[] {
  if (READ.has(method)) return ['operator.read'];
  if (APPROVALS.has(method)) return ['operator.approvals'];
  if (WRITE.has(method)) return ['operator.write'];
  if (ADMIN.has(method) || method.startsWith('config.')) return ['operator.admin'];
  return EVERY;
}

/** Which scope a method needs, and what a scope includes. */
export const SCOPE = { read: 'operator.read', write: 'operator.write', admin: 'operator.admin' } as const;
export type OperatorScope = (typeof SCOPE)[keyof typeof SCOPE];

/** What the shared token or password holds unless the configuration narrows it. */
export const SHARED_SECRET_SCOPES: readonly string[] = [
  SCOPE.admin,
  SCOPE.read,
  SCOPE.write,
  'operator.approvals',
  'operator.pairing',
  'operator.talk.secrets',
];

const READ: ReadonlySet<string> = new Set([
  'sessions.list', 'sessions.subscribe', 'sessions.unsubscribe', 'sessions.messages.subscribe', 'sessions.messages.unsubscribe',
  'sessions.preview', 'sessions.describe', 'sessions.get', 'sessions.resolve', 'sessions.search', 'sessions.usage',
  'sessions.usage.timeseries', 'sessions.usage.logs', 'sessions.files.list', 'sessions.files.get', 'sessions.compaction.list',
  'sessions.compaction.get', 'sessions.archives.list', 'chat.history', 'chat.startup', 'chat.metadata', 'chat.message.get',
  'agents.list', 'agent.identity.get', 'health', 'status',
]);

const WRITE: ReadonlySet<string> = new Set([
  'sessions.create', 'sessions.send', 'sessions.steer', 'sessions.abort', 'sessions.compaction.branch', 'chat.send', 'chat.abort',
  'agent', 'agent.wait', 'tools.invoke',
]);

/** Admin for every method that is not named. */
export function scopeOf(method: string): OperatorScope {
  if (READ.has(method)) return SCOPE.read;
  return WRITE.has(method) ? SCOPE.write : SCOPE.admin;
}

/** Admin includes write, write includes read. */
export function holdsScope(scopes: readonly string[], needed: OperatorScope): boolean {
  if (scopes.includes(SCOPE.admin)) return true;
  if (needed === SCOPE.admin) return false;
  return scopes.includes(SCOPE.write) || scopes.includes(needed);
}

/** Of the scopes asked for, those that `granted` includes. Unknown words pass only when granted as they are. */
export function narrowScopes(asked: readonly string[], granted: readonly string[]): readonly string[] {
  const operatorScopes: readonly string[] = Object.values(SCOPE);
  return asked.filter((scope) =>
    operatorScopes.includes(scope) ? holdsScope(granted, scope as OperatorScope) : granted.includes(scope),
  );
}

/**
 * Shapes of answers as the protocol's description has them, and what an answer lacks of one. A name that
 * ends in `?` may be absent; what a shape does not name may be there: results may grow.
 */
export type Shape = string | readonly [Shape] | { readonly [name: string]: Shape };

/** Every misfit with its place; none: it has the shape. A word is a type or several, as in `number|null`. */
export function misfits(value: unknown, shape: Shape, at = 'payload'): string[] {
  if (typeof shape === 'string') return shape === 'any' || shape.split('|').includes(typeOf(value)) ? [] : [`${at} is ${typeOf(value)}, not ${shape}`];
  if (isList(shape)) return Array.isArray(value) ? value.flatMap((item, place) => misfits(item, shape[0], `${at}[${String(place)}]`)) : [`${at} is ${typeOf(value)}, not a list`];
  if (typeOf(value) !== 'object') return [`${at} is ${typeOf(value)}, not an object`];
  return Object.entries(shape).flatMap(([given, member]) => {
    const name = given.replace(/\?$/u, '');
    const found = (value as Record<string, unknown>)[name];
    if (found === undefined) return given.endsWith('?') ? [] : [`${at}.${name} is missing`];
    return misfits(found, member, `${at}.${name}`);
  });
}

function isList(shape: Exclude<Shape, string>): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}

const LEVELS: Shape = { thinkingLevels: [{ id: 'string', label: 'string' }], thinkingOptions: ['string'], thinkingDefault: 'string' };
const withLevels = (members: Record<string, Shape>): Shape => ({ ...members, ...(LEVELS as Record<string, Shape>) });

/** A row that was never used has these (gateway protocol, rows of `sessions.list`). */
export const ROW: Shape = withLevels({
  key: 'string', kind: 'string', updatedAt: 'number|null', 'sessionId?': 'string', effectiveFastMode: 'any', effectiveFastModeSource: 'string', fastAutoOnSeconds: 'number',
  totalTokensFresh: 'boolean', modelProvider: 'string', model: 'string', agentRuntime: { id: 'string', source: 'string' }, contextTokens: 'number', hasActiveRun: 'boolean',
  'label?': 'string', 'displayName?': 'string', 'status?': 'string', 'startedAt?': 'number', 'endedAt?': 'number', 'runtimeMs?': 'number', 'childSessions?': ['string'],
  'parentSessionKey?': 'string', 'spawnedBy?': 'string', 'deliveryContext?': {}, 'origin?': {}, 'lastMessagePreview?': 'string', 'derivedTitle?': 'string',
});

const DEFAULTS: Shape = withLevels({ modelProvider: 'string|null', model: 'string|null', contextTokens: 'number' });
const ENTRY: Shape = { sessionId: 'string', updatedAt: 'number' };
const TOTALS: Shape = { input: 'number', output: 'number', cacheRead: 'number', cacheWrite: 'number', totalTokens: 'number', 'totalCost?': 'number', missingCostEntries: 'number' };
const HISTORY: Shape = { sessionKey: 'string', 'sessionId?': 'string', messages: [{ role: 'string' }], defaults: DEFAULTS, sessionInfo: ROW, thinkingLevel: 'string' };
const STATUS_ROW: Shape = {
  agentId: 'string', key: 'string', kind: 'string', 'sessionId?': 'string', updatedAt: 'number|null', age: 'number|null', totalTokens: 'number|null', totalTokensFresh: 'boolean', remainingTokens: 'number|null', percentUsed: 'number|null',
  model: 'string|null', configuredModel: 'string|null', selectedModel: 'string|null', modelSelectionReason: 'string|null', runtime: 'string', contextTokens: 'number|null', flags: ['string'],
};
const AGENTS: Shape = { defaultId: 'string', mainKey: 'string', scope: 'string', agents: [{ id: 'string', agentRuntime: { id: 'string', source: 'string' } }] };
const MODELS: Shape = { models: [{ provider: 'string', id: 'string', name: 'string', available: 'boolean' }] };
const COMMANDS: Shape = { commands: [{ name: 'string', textAliases: ['string'], description: 'string', category: 'string', source: 'string', scope: 'string', acceptsArgs: 'boolean' }] };

/** By method: what is answered where nothing is wrong. */
export const ANSWERS: Readonly<Record<string, Shape>> = {
  connect: {
    type: 'string', protocol: 'number', server: { version: 'string', connId: 'string' }, features: { methods: ['string'], events: ['string'] },
    snapshot: { presence: ['any'], health: {}, stateVersion: { presence: 'number', health: 'number' }, uptimeMs: 'number', sessionDefaults: { defaultAgentId: 'string', mainKey: 'string', mainSessionKey: 'string', scope: 'string' } },
    auth: { role: 'string', scopes: ['string'] }, policy: { maxPayload: 'number', maxBufferedBytes: 'number', tickIntervalMs: 'number' },
  },
  'sessions.list': { ts: 'number', path: 'string', count: 'number', totalCount: 'number', limitApplied: 'number', nextOffset: 'number|null', hasMore: 'boolean', defaults: DEFAULTS, sessions: [ROW] },
  'sessions.subscribe': { subscribed: 'boolean' },
  'sessions.unsubscribe': { subscribed: 'boolean' },
  'sessions.messages.subscribe': { subscribed: 'boolean', key: 'string' },
  'sessions.messages.unsubscribe': { subscribed: 'boolean', key: 'string' },
  'sessions.describe': { session: ROW },
  'sessions.preview': { ts: 'number', previews: [{ key: 'string', status: 'string', items: [{ role: 'string', text: 'string' }] }] },
  'sessions.resolve': { ok: 'boolean', key: 'string' },
  'sessions.get': { messages: [{ role: 'string' }] },
  'sessions.create': { ok: 'boolean', key: 'string', sessionId: 'string', entry: ENTRY, runStarted: 'boolean' },
  'sessions.send': { runId: 'string', status: 'string' },
  'sessions.steer': { runId: 'string', status: 'string' },
  'sessions.abort': { ok: 'boolean', abortedRunId: 'string|null', status: 'string' },
  'sessions.patch': { ok: 'boolean', path: 'string', key: 'string', entry: ENTRY, resolved: { modelProvider: 'string', model: 'string', agentRuntime: { id: 'string', source: 'string' } } },
  'sessions.reset': { ok: 'boolean', key: 'string', entry: ENTRY },
  'sessions.delete': { ok: 'boolean', key: 'string', deleted: 'boolean', archived: ['string'] },
  'sessions.compact': { ok: 'boolean', key: 'string', compacted: 'boolean' },
  'sessions.cleanup': {
    agentId: 'string', storePath: 'string', mode: 'string', dryRun: 'boolean', beforeCount: 'number', afterCount: 'number', missing: 'number', dmScopeRetired: 'number', pruned: 'number', capped: 'number',
    unreferencedArtifacts: { scannedFiles: 'number', removedFiles: 'number', freedBytes: 'number', olderThanMs: 'number' }, diskBudget: 'any', wouldMutate: 'boolean', applied: 'boolean',
  },
  'sessions.usage': { updatedAt: 'number', startDate: 'string', endDate: 'string', sessions: [{ key: 'string', usage: 'object|null' }], totals: TOTALS, aggregates: { byModel: [{ count: 'number', totals: {} }], byAgent: [{ agentId: 'string', totals: {} }], daily: [{ date: 'string' }] }, cacheStatus: { status: 'string' } },
  'sessions.usage.timeseries': { sessionId: 'string|null', points: [{ timestamp: 'number' }] },
  'sessions.usage.logs': { logs: [{ timestamp: 'number' }] },
  'usage.cost': { updatedAt: 'number', days: 'number', daily: [{ date: 'string', totalTokens: 'number' }], totals: TOTALS, cacheStatus: { status: 'string' } },
  'usage.status': { updatedAt: 'number', providers: ['any'] },
  'sessions.files.list': { sessionKey: 'string', files: [{ path: 'string', name: 'string', kind: 'string', missing: 'boolean' }] },
  'sessions.compaction.list': { ok: 'boolean', key: 'string', checkpoints: ['any'] },
  'chat.send': { runId: 'string', status: 'string' },
  'chat.history': HISTORY,
  'chat.startup': { ...(HISTORY as Record<string, Shape>), agentsList: AGENTS, metadata: MODELS },
  'chat.metadata': { ...(MODELS as Record<string, Shape>), ...(COMMANDS as Record<string, Shape>) },
  'chat.abort': { ok: 'boolean', aborted: 'boolean', runIds: ['string'] },
  'chat.inject': { ok: 'boolean', messageId: 'string' },
  'chat.message.get': { ok: 'boolean' },
  agent: { runId: 'string', status: 'string' },
  'agent.wait': { status: 'string' },
  'agents.list': AGENTS,
  'agent.identity.get': { agentId: 'string', name: 'string' },
  health: { ok: 'boolean', ts: 'number', durationMs: 'number', defaultAgentId: 'string', agents: [{ agentId: 'string', isDefault: 'boolean', heartbeat: { enabled: 'boolean', every: 'string', everyMs: 'number|null' }, sessions: { path: 'string', count: 'number', recent: [{ key: 'string' }] } }], sessions: { path: 'string', count: 'number', recent: [{ key: 'string', updatedAt: 'number|null', age: 'number|null' }] }, channels: {} },
  status: {
    runtimeVersion: 'string', heartbeat: { defaultAgentId: 'string', agents: [{ agentId: 'string', enabled: 'boolean', every: 'string', everyMs: 'number|null' }] }, channelSummary: ['any'], queuedSystemEvents: ['any'],
    tasks: { total: 'number', active: 'number', terminal: 'number', failures: 'number', byStatus: {}, byRuntime: {} }, taskAudit: { total: 'number', warnings: 'number', errors: 'number', byCode: {} },
    sessions: { paths: ['string'], count: 'number', defaults: DEFAULTS, recent: [STATUS_ROW], byAgent: [{ agentId: 'string', path: 'string', count: 'number', recent: [STATUS_ROW] }] },
  },
  'system-presence': [{ host: 'string', version: 'string', platform: 'string', mode: 'string', reason: 'string', text: 'string', ts: 'number' }],
  'diagnostics.stability': { generatedAt: 'string', capacity: 'number', count: 'number', dropped: 'number', events: ['any'], summary: { byType: {} } },
  'tasks.list': { tasks: ['any'] },
  'cron.list': { jobs: ['any'], total: 'number', offset: 'number', limit: 'number', hasMore: 'boolean', nextOffset: 'number|null', deliveryPreviews: {} },
  'plugin.approval.list': ['any'],
  'exec.approval.list': ['any'],
  'artifacts.list': { artifacts: ['any'] },
  'cron.status': { enabled: 'boolean', jobs: 'number', nextWakeAtMs: 'number|null' },
  'channels.status': { ts: 'number', channelOrder: ['string'], channelLabels: {}, channelMeta: ['any'], channels: {}, channelAccounts: {}, channelDefaultAccountId: {} },
  'node.list': { ts: 'number', nodes: ['any'] },
  'last-heartbeat': 'null',
  'config.get': { path: 'string', exists: 'boolean', valid: 'boolean', issues: ['any'], warnings: ['any'], legacyIssues: ['any'], hash: 'string', raw: 'null', parsed: {}, sourceConfig: {}, resolved: {}, runtimeConfig: {}, config: {} },
  'models.list': MODELS,
  'models.authStatus': { ts: 'number', providers: ['any'] },
  'commands.list': COMMANDS,
};

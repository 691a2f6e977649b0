/**
 * Every option of the configuration file: type, unit, default, meaning. Parsing follows this
 * table, and documentation and `--help` are printed from it. In a key, `*` stands for a name of
 * the user's choice and `[]` for an element of a list; `agents.defaults.*` may be repeated in
 * each element of `agents.list[]`.
 */
import { bool, bytes, choice, duration, hourOfDay, int, optional, secret, text, texts, timeZone, where, withUnit, type Option } from './options';

const COUNT = { min: 0 };
const MS = { min: 1, unit: 'ms' };
const QUEUE_MODES = ['steer', 'followup', 'collect', 'interrupt'] as const;
const ACTIONS = ['allow', 'deny'] as const;

export const OPTIONS = {
  'session.scope': choice(['per-sender', 'global'], 'per-sender', 'whether direct messages have sessions of their own or one shared row'),
  'session.dmScope': choice(['main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer'], 'main', 'how direct messages are kept apart'),
  'session.mainKey': text('main', 'another name for the main session'),
  'session.store': optional(text('', 'path of sessions.json; {agentId} and a leading ~ are replaced'), '<stateDir>/agents/{agentId}/sessions/sessions.json'),
  'session.storeFlush': choice(['checkpoint', 'sync'], 'checkpoint', 'whether sessions.json is written at checkpoints or before each acknowledgement'),
  'session.storeFormat': choice(['native', 'simple'], 'native', 'shape of the entries in sessions.json'),
  'session.reset.mode': choice(['daily', 'idle', 'none'], 'daily', 'what makes a session stale'),
  'session.reset.atHour': hourOfDay(4, 'wall-clock hour of the daily reset'),
  'session.reset.timeZone': timeZone('zone of atHour'),
  'session.reset.notice': bool(true, 'tell the user of an automatic reset'),
  'session.reset.idleMinutes': int(0, { min: 0, unit: 'min' }, 'idle time after which a session is stale; 0 never'),
  'session.idleMinutes': optional(int(0, { min: 0, unit: 'min' }, 'legacy: idle reset only, when session.reset is absent')),
  'session.resetTriggers': texts(['/new', '/reset'], 'commands that start a new session'),
  'session.sendPolicy.default': choice(ACTIONS, 'allow', 'delivery when no rule matches'),
  'session.sendPolicy.rules[].action': optional(choice(ACTIONS, 'allow', 'what a matching rule does'), 'required'),
  'session.sendPolicy.rules[].match.channel': optional(text('', 'channel of the session')),
  'session.sendPolicy.rules[].match.chatType': optional(choice(['direct', 'group', 'channel'], 'direct', 'chat type of the session', { dm: 'direct' })),
  'session.sendPolicy.rules[].match.keyPrefix': optional(text('', 'start of the key without agent:<id>:')),
  'session.sendPolicy.rules[].match.rawKeyPrefix': optional(text('', 'start of the full key')),
  'session.agentToAgent.maxPingPongTurns': int(5, { min: 0, max: 5, holdToMax: true }, 'turns after the first answer of a sessions_send'),
  'session.threadBindings.enabled': bool(true, 'threads can be bound to a session'),
  'session.threadBindings.idleHours': int(24, { min: 0, unit: 'h', fractional: true }, 'idle time after which a thread is unbound; 0 off'),
  'session.threadBindings.maxAgeHours': int(0, { min: 0, unit: 'h', fractional: true }, 'age at which a thread is unbound; 0 off'),
  'session.threadBindings.spawnSessions': bool(true, 'spawned sessions may get a thread'),
  'session.threadBindings.defaultSpawnContext': choice(['fork', 'isolated'], 'fork', 'what a thread-bound session starts from'),
  'session.maintenance.mode': choice(['warn', 'enforce'], 'warn', 'whether automatic maintenance acts or reports'),
  'session.maintenance.pruneAfter': withUnit(duration('30d', 'd', 'age at which an unused session is archived; 0 off')),
  'session.maintenance.maxEntries': int(500, COUNT, 'rows of a store above which the oldest are archived; 0 off'),
  'session.maintenance.resetArchiveRetention': optional(withUnit(duration('0', 'd', 'age at which archives of resets are removed; 0 or false: never', { allowFalse: true })), 'pruneAfter'),
  'session.maintenance.maxDiskBytes': withUnit(bytes('0', 'disk budget of a store; 0 off')),
  'session.maintenance.highWaterBytes': withUnit(bytes('0', 'use at which clearing for the budget stops; 0: 80 % of maxDiskBytes')),
  'session.writeLock.acquireTimeoutMs': int(60_000, MS, 'longest wait for a foreign transcript lock'),
  'session.writeLock.staleMs': int(1_800_000, MS, 'age at which a transcript lock is reported as stale'),
  'session.writeLock.maxHoldMs': int(300_000, MS, 'longest hold announced in a transcript lock'),

  'agents.defaults.workspace': optional(text('', 'working directory of the agent')),
  'agents.defaults.model.primary': optional(text('', 'model of a turn, as provider/model')),
  'agents.defaults.model.fallbacks': texts([], 'models tried when the first one fails'),
  'agents.defaults.contextTokens': int(200_000, { min: 1, unit: 'tokens' }, 'context window when the model does not say'),
  'agents.defaults.compaction.enabled': bool(true, 'compact when the context is nearly full'),
  'agents.defaults.compaction.mode': choice(['default', 'safeguard'], 'default', 'how a summary is made'),
  'agents.defaults.compaction.provider': optional(text('', 'summarising provider; forces mode safeguard')),
  'agents.defaults.compaction.model': optional(text('', 'summarising model'), "the session's model"),
  'agents.defaults.compaction.timeoutSeconds': int(180, { min: 1, unit: 's' }, 'time limit of one compaction'),
  'agents.defaults.compaction.reserveTokens': int(16_384, { min: 0, unit: 'tokens' }, 'part of the window kept free'),
  'agents.defaults.compaction.reserveTokensFloor': int(20_000, { min: 0, unit: 'tokens' }, 'least part of the window kept free; 0 off'),
  'agents.defaults.compaction.keepRecentTokens': optional(int(20_000, { min: 0, unit: 'tokens' }, 'newest part that is not summarised'), '20000 for automatic compaction'),
  'agents.defaults.compaction.recentTurnsPreserve': int(3, COUNT, 'newest turns that are not summarised'),
  'agents.defaults.compaction.maxHistoryShare': int(0.5, { min: 0.1, max: 0.9, fractional: true }, 'share of the window that history may take'),
  'agents.defaults.compaction.identifierPolicy': choice(['strict', 'off', 'custom'], 'strict', 'how identifiers are kept in summaries'),
  'agents.defaults.compaction.identifierInstructions': optional(text('', 'instructions for identifierPolicy custom')),
  'agents.defaults.compaction.qualityGuard.enabled': optional(bool(true, 'check a summary and try again'), 'true in mode safeguard'),
  'agents.defaults.compaction.qualityGuard.maxRetries': int(1, COUNT, 'further attempts at a summary'),
  'agents.defaults.compaction.midTurnPrecheck.enabled': bool(false, 'compact inside a turn when a tool result does not fit'),
  'agents.defaults.compaction.postCompactionSections': texts([], 'sections added after a compaction'),
  'agents.defaults.compaction.truncateAfterCompaction': bool(false, 'continue in a new transcript after a compaction'),
  'agents.defaults.compaction.maxActiveTranscriptBytes': bytes('0', 'transcript size that starts a compaction; 0 off'),
  'agents.defaults.compaction.notifyUser': bool(false, 'tell the user of a compaction'),
  'agents.defaults.compaction.memoryFlush.enabled': bool(true, 'let the agent save notes before a compaction'),
  'agents.defaults.compaction.memoryFlush.softThresholdTokens': int(4_000, { min: 0, unit: 'tokens' }, 'distance to the reserve at which notes are saved'),
  'agents.defaults.compaction.memoryFlush.forceFlushTranscriptBytes': bytes('2mb', 'transcript size at which notes are saved; 0 off'),
  'agents.defaults.compaction.memoryFlush.model': optional(text('', 'model of the notes turn, without fallback'), "the session's model"),
  'agents.defaults.compaction.memoryFlush.prompt': optional(text('', 'prompt of the notes turn'), 'built in'),
  'agents.defaults.compaction.memoryFlush.systemPrompt': optional(text('', 'system prompt of the notes turn'), 'built in'),
  'agents.defaults.contextPruning.mode': choice(['off', 'cache-ttl'], 'off', 'trim old tool results in requests'),
  'agents.defaults.contextPruning.ttl': duration('5m', 'm', 'time since the last model call before trimming'),
  'agents.defaults.contextPruning.keepLastAssistants': int(3, COUNT, 'newest assistant messages that protect what follows them'),
  'agents.defaults.contextPruning.softTrimRatio': int(0.3, { min: 0, max: 1, fractional: true }, 'fill of the window above which results are shortened'),
  'agents.defaults.contextPruning.hardClearRatio': int(0.5, { min: 0, max: 1, fractional: true }, 'fill of the window above which results are replaced'),
  'agents.defaults.contextPruning.minPrunableToolChars': int(50_000, { min: 0, unit: 'characters' }, 'least size of results worth replacing'),
  'agents.defaults.contextPruning.softTrim.maxChars': int(4_000, { min: 0, unit: 'characters' }, 'size above which a result is shortened'),
  'agents.defaults.contextPruning.softTrim.headChars': int(1_500, { min: 0, unit: 'characters' }, 'kept from the start'),
  'agents.defaults.contextPruning.softTrim.tailChars': int(1_500, { min: 0, unit: 'characters' }, 'kept from the end'),
  'agents.defaults.contextPruning.hardClear.enabled': bool(true, 'replace results at all'),
  'agents.defaults.contextPruning.hardClear.placeholder': text('[Old tool result content cleared]', 'text in place of a result'),
  'agents.defaults.contextPruning.tools.allow': optional(texts([], 'tools whose results are trimmed; * is a wildcard'), 'all'),
  'agents.defaults.contextPruning.tools.deny': texts([], 'tools whose results are never trimmed'),
  'agents.defaults.sandbox.mode': choice(['off', 'non-main', 'all'], 'off', 'which sessions run in a sandbox'),
  'agents.defaults.sandbox.workspaceAccess': choice(['none', 'ro', 'rw'], 'none', 'access of a sandbox to the workspace'),
  'agents.defaults.sandbox.sessionToolsVisibility': choice(['spawned', 'all'], 'spawned', 'what sandboxed sessions may see'),
  'agents.defaults.subagents.allowAgents': optional(texts([], 'agents that may be spawned; * any'), 'the requester only'),
  'agents.defaults.subagents.requireAgentId': bool(false, 'a spawn has to name its agent'),
  'agents.defaults.subagents.model': optional(text('', 'model of sub-agents'), 'inherited'),
  'agents.defaults.subagents.thinking': optional(text('', 'thinking level of sub-agents'), 'inherited'),
  'agents.defaults.subagents.runTimeoutSeconds': int(0, { min: 0, unit: 's' }, 'time limit of a sub-agent run; 0 none'),
  'agents.defaults.subagents.archiveAfterMinutes': int(60, { min: 0, unit: 'min' }, 'age at which an ended sub-agent is archived; 0 off'),
  'agents.defaults.subagents.archiveKept': bool(false, 'archive sub-agents spawned with cleanup keep too'),
  'agents.defaults.subagents.maxConcurrent': int(8, { min: 1 }, 'sub-agent runs at once'),
  'agents.defaults.subagents.maxSpawnDepth': int(1, { min: 1, max: 5 }, 'nesting of sub-agents'),
  'agents.defaults.subagents.maxChildrenPerAgent': int(5, { min: 1, max: 20 }, 'active children of one session'),
  'agents.defaults.subagents.announceTimeoutMs': int(120_000, MS, 'time limit of one attempt to announce a result'),
  'agents.list[].id': optional(text('', 'id of the agent; slugged'), 'required'),
  'agents.list[].default': bool(false, 'the agent of messages that no binding matches'),

  'tools.sessions.visibility': choice(['self', 'tree', 'agent', 'all'], 'tree', 'which sessions an agent may see'),
  'tools.sessions.rawHistory': bool(false, 'show history to agents without filtering, secrets excepted'),
  'tools.agentToAgent.enabled': bool(false, 'agents may reach sessions of other agents'),
  'tools.agentToAgent.allow': texts([], 'agents that may reach each other; * is a wildcard'),
  'tools.subagents.tools.allow': optional(texts([], 'the only tools of sub-agents'), 'all'),
  'tools.subagents.tools.deny': texts([], 'tools that sub-agents never have'),
  'tools.sessions_spawn.attachments.enabled': bool(true, 'a spawn may hand over files'),
  'tools.sessions_spawn.attachments.maxFiles': int(50, COUNT, 'files of one spawn'),
  'tools.sessions_spawn.attachments.maxFileBytes': bytes('1048576', 'size of one file'),
  'tools.sessions_spawn.attachments.maxTotalBytes': bytes('5242880', 'size of all files'),
  'tools.sessions_spawn.attachments.retainOnSessionKeep': bool(false, 'keep the files of sessions spawned with cleanup keep'),
  'tools.profile': optional(text('', 'named set of tools')),
  'tools.allow': optional(texts([], 'the only tools'), 'all'),
  'tools.alsoAllow': texts([], 'tools in addition to the profile'),
  'tools.deny': texts([], 'tools that are never available'),

  'bindings[].agentId': optional(text('', 'agent that answers'), 'required'),
  'bindings[].match.channel': optional(text('', 'channel of the message'), 'required'),
  'bindings[].match.accountId': optional(text('', 'account of the message; * any'), 'any'),
  'bindings[].match.guildId': optional(text('', 'guild of the message')),
  'bindings[].match.teamId': optional(text('', 'team of the message')),
  'bindings[].match.peer.kind': optional(choice(['direct', 'group', 'channel'], 'direct', 'chat type of the peer', { dm: 'direct', room: 'channel' }), 'required'),
  'bindings[].match.peer.id': optional(text('', 'id of the sender, or of the conversation'), 'required'),
  'gateway.port': int(18_789, { min: 0, max: 65_535 }, 'port of WebSocket and HTTP; 0 takes a free one'),
  'gateway.bind': text('loopback', 'interfaces to listen on'),
  'gateway.auth.mode': optional(choice(['none', 'token', 'password', 'trusted-proxy'], 'token', 'how clients prove themselves'), 'by the credential that is set'),
  'gateway.auth.token': secret(optional(text('', 'shared token'), 'OPENCLAW_GATEWAY_TOKEN')),
  'gateway.auth.password': secret(optional(text('', 'shared password'), 'OPENCLAW_GATEWAY_PASSWORD')),
  'gateway.auth.scopes': optional(texts([], 'scopes that token and password grant'), 'all'),
  'gateway.tools.allow': texts([], 'tools available over HTTP in addition'),
  'hooks.enabled': bool(false, 'accept webhooks'),
  'hooks.token': secret(optional(text('', 'bearer token of webhooks'))),
  'hooks.path': where(text('/hooks', 'path of the webhooks'), (path) => path.startsWith('/'), 'must start with "/"'),
  'hooks.allowRequestSessionKey': bool(false, 'a webhook may name its session key'),
  'cron.sessionRetention': withUnit(duration('24h', 'h', 'age at which rows of cron runs are archived; 0 or false: never', { allowFalse: true })),
  'cron.runLog.maxBytes': bytes('2000000', 'size of a run log'),
  'cron.runLog.keepLines': int(2_000, COUNT, 'lines kept in a run log'),
  'models.providers.*.baseUrl': optional(text('', 'endpoint of the provider')),
  'models.providers.*.apiKey': secret(optional(text('', 'key, or ${NAME} of an environment variable'))),
  'models.providers.*.api': optional(text('', '"openai-completions" or "anthropic-messages"')),
  'models.providers.*.models[].id': optional(text('', 'model id'), 'required'),
  'models.providers.*.models[].contextWindow': optional(int(0, { min: 1, unit: 'tokens' }, 'context window')),
  'models.providers.*.models[].maxTokens': optional(int(0, { min: 1, unit: 'tokens' }, 'longest answer')),
  'models.providers.*.models[].cost.input': int(0, { min: 0, unit: 'USD per million tokens', fractional: true }, 'price of input'),
  'models.providers.*.models[].cost.output': int(0, { min: 0, unit: 'USD per million tokens', fractional: true }, 'price of output'),
  'models.providers.*.models[].cost.cacheRead': int(0, { min: 0, unit: 'USD per million tokens', fractional: true }, 'price of cached input'),
  'models.providers.*.models[].cost.cacheWrite': int(0, { min: 0, unit: 'USD per million tokens', fractional: true }, 'price of writing the cache'),
  'commands.text': bool(true, 'read commands in messages'),
  'commands.useAccessGroups': bool(true, 'senders of access groups may use commands'),
  'messages.queue.mode': choice(QUEUE_MODES, 'steer', 'what a message during a run does'),
  'messages.queue.debounceMs': int(500, { min: 0, unit: 'ms' }, 'wait for further messages before a turn'),
  'messages.queue.cap': int(20, { min: 1 }, 'queued messages above which drop applies'),
  'messages.queue.drop': choice(['old', 'new', 'summarize'], 'summarize', 'what happens to queued messages above the cap'),
  'bus.transport': optional(choice(['inproc', 'nats'], 'inproc', 'how services reach each other'), 'inproc; nats when SESS_NATS_URL is set'),
  'bus.subjectPrefix': where(text('sess', 'first token of every subject'), (prefix) => /^[a-z0-9_-]+$/i.test(prefix), 'must be one subject token of letters, digits, _ and -'),
  'storeWriter.agents': texts(['*'], 'agents whose stores this writer may own; * is a wildcard'),
  'storeWriter.volume': choice(['shared', 'own'], 'shared', 'whether all writers see one state directory, or each keeps the agents of its own'),
  'storeWriter.writers': texts([], 'instance names of all writers; needed with volume own'),
  'storeWriter.checkpointDelayMs': int(250, { min: 0, unit: 'ms' }, 'least time from a write to its checkpoint'),
  'agentRunner.maxConcurrent': int(16, { min: 1 }, 'turns at once in one instance'),
  'compactionWorker.maxConcurrent': int(2, { min: 1 }, 'compactions at once in one instance'),
} as const satisfies Readonly<Record<string, Option<unknown>>>;

export type OptionKey = keyof typeof OPTIONS;
export type OptionValue<K extends OptionKey> = (typeof OPTIONS)[K] extends Option<infer T> ? T : never;

/** Options whose value is a structure of its own; they are described here and read by hand. */
const STRUCTURES = [
  { key: 'session.identityLinks', type: 'map of name to "<channel>:<peerId>"[]', defaultText: '{}', meaning: 'accounts of one person, under one name' },
  { key: 'session.resetByType.{direct,group,thread}', type: 'reset policy', defaultText: 'session.reset', meaning: 'reset policy of one type of session' },
  { key: 'session.resetByChannel.*', type: 'reset policy', defaultText: 'session.reset', meaning: 'reset policy of one channel' },
  { key: 'commands.allowFrom', type: 'string[] | map of channel to string[]', defaultText: '–', meaning: 'senders who may use commands' },
  { key: 'messages.queue.byChannel.*', type: '"steer" | "followup" | "collect" | "interrupt"', defaultText: 'messages.queue.mode', meaning: 'queue mode of one channel' },
  { key: 'channels.discord.threadBindings.*', type: 'as session.threadBindings', defaultText: 'session.threadBindings', meaning: 'thread bindings of Discord' },
] as const;

export interface OptionRow {
  readonly key: string;
  readonly type: string;
  readonly unit?: string;
  readonly defaultText: string;
  readonly meaning: string;
}

/** All options as rows for documentation, in the order of the table, structures last. */
export function describeOptions(): readonly OptionRow[] {
  const rows = Object.entries<Option<unknown>>(OPTIONS).map(([key, { type, unit, defaultText, meaning }]): OptionRow => ({ key, type, ...(unit === undefined ? {} : { unit }), defaultText, meaning }));
  return [...rows, ...STRUCTURES];
}

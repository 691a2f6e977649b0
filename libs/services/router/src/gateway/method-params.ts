/** The closed parameter sets of the gateway's methods, one place for all of them. */
import { LABEL_LENGTH_MAX, SessionError, TEXT_BYTES_MAX } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { any, arrayOf, boolean, closed, describeMisfit, integer, orNull, wordOf, wordOrNull } from './schema';
import type { ObjectSchema, Schema } from './schema';

/** Sessions that one preview may name. */
export const PREVIEW_KEYS_MAX = 200;
/** Longest `sessionKey` of `chat.send`, in UTF-16 units. */
const CHAT_KEY_LENGTH_MAX = 512;
/** Most messages of one `chat.history`. */
const CHAT_HISTORY_LIMIT_MAX = 1000;
const CHAT_HISTORY_CHARS_MAX = 500_000;
const SEARCH_LIMIT_MAX = 100;

/** Longest label of an injected message. */
const INJECT_LABEL_LENGTH_MAX = 100;

/** Most jobs or runs of one page of a scheduler. */
const CRON_PAGE_MAX = 200;
const TASKS_PAGE_MAX = 500;
const taskStatus = wordOf('queued', 'running', 'completed', 'failed', 'cancelled', 'timed_out');

/**
 * Longest text of a member that is no message, in UTF-16 units: keys, ids, paths, words to search for. All of a call's together fit
 * what the bus takes.
 */
export const TEXT_LENGTH_MAX = 8192;
const string: Schema = { kind: 'string', maxLength: TEXT_LENGTH_MAX };
const text: Schema = { kind: 'string', minLength: 1, maxLength: TEXT_LENGTH_MAX };
/** What people and models write. */
const longString: Schema = { kind: 'string', maxBytes: TEXT_BYTES_MAX };
const longText: Schema = { kind: 'string', minLength: 1, maxBytes: TEXT_BYTES_MAX };

/** Of an upload, in base64; who takes it in says how many bytes it may have. */
const piece: Schema = { kind: 'string', minLength: 1 };

const label: Schema = { kind: 'string', minLength: 1, maxLength: LABEL_LENGTH_MAX };
/** Longest key that a connection follows, which it keeps, and longest id that a refusal repeats, in UTF-16 units. */
const NAME_LENGTH_MAX = 4096;
const name: Schema = { kind: 'string', minLength: 1, maxLength: NAME_LENGTH_MAX };
const chatKey: Schema = { kind: 'string', minLength: 1, maxLength: CHAT_KEY_LENGTH_MAX };
const toggle: Schema = orNull(text);
const fastMode: Schema = { kind: 'union', options: [boolean, { kind: 'constant', value: 'auto' }] };
const nullableFastMode: Schema = { kind: 'union', options: [boolean, { kind: 'constant', value: 'auto' }, { kind: 'null' }] };

/** Members of `sessions.patch` that change the entry; null clears. */
const PATCH_MEMBERS = {
  label: orNull(label),
  thinkingLevel: toggle,
  fastMode: nullableFastMode,
  verboseLevel: toggle,
  traceLevel: toggle,
  reasoningLevel: toggle,
  responseUsage: wordOrNull('off', 'tokens', 'full', 'on'),
  elevatedLevel: toggle,
  execHost: toggle,
  execSecurity: toggle,
  execAsk: toggle,
  execNode: toggle,
  model: toggle,
  spawnedBy: toggle,
  spawnedWorkspaceDir: toggle,
  spawnedCwd: toggle,
  spawnDepth: orNull(integer(0)),
  subagentRole: wordOrNull('orchestrator', 'leaf'),
  subagentControlScope: wordOrNull('children', 'none'),
  inheritedToolAllow: orNull(arrayOf(text)),
  inheritedToolDeny: orNull(arrayOf(text)),
  sendPolicy: wordOrNull('allow', 'deny'),
  groupActivation: wordOrNull('mention', 'always'),
} as const satisfies Record<string, Schema>;

/** Longest `timeoutMs` of a wait. */
const WAIT_MS_MAX = 600_000;
const USAGE_LIMIT_MAX = 5000;
const day: Schema = { kind: 'string', minLength: 10, maxLength: 10 };
const sendMembers = {
  key: text,
  agentId: text,
  message: longString,
  thinking: string,
  attachments: arrayOf(any),
  timeoutMs: integer(0),
  idempotencyKey: text,
} as const;
const checkpoint = closed({ key: text, agentId: text, checkpointId: name }, ['key', 'checkpointId']);
const files = (more: Readonly<Record<string, Schema>>, required: readonly string[]): ObjectSchema => closed({ sessionKey: text, agentId: text, ...more }, ['sessionKey', ...required]);
const keyOnly = closed({ key: text, agentId: text }, ['key']);
const followed = closed({ key: name, agentId: text }, ['key']);

/** Parameters of every method; one that is missing here takes any members. */
export const METHOD_PARAMS: Readonly<Record<string, ObjectSchema>> = {
  'sessions.list': closed({
    limit: integer(1),
    offset: integer(0),
    activeMinutes: integer(1),
    includeGlobal: boolean,
    includeUnknown: boolean,
    configuredAgentsOnly: boolean,
    includeDerivedTitles: boolean,
    includeLastMessage: boolean,
    label,
    spawnedBy: text,
    agentId: text,
    search: string,
  }),
  'sessions.describe': closed({ key: text, agentId: text, includeDerivedTitles: boolean, includeLastMessage: boolean }, ['key']),
  'sessions.preview': closed(
    { keys: arrayOf(text, { minItems: 1, maxItems: PREVIEW_KEYS_MAX }), limit: integer(1), maxChars: integer(20) },
    ['keys'],
  ),
  'sessions.resolve': closed({
    key: text,
    sessionId: text,
    label,
    agentId: text,
    spawnedBy: text,
    includeGlobal: boolean,
    includeUnknown: boolean,
    allowMissing: boolean,
  }),
  'sessions.search': closed(
    { query: longText, agentId: text, in: { kind: 'enum', values: ['meta', 'text'] }, limit: integer(1, SEARCH_LIMIT_MAX), cursor: text, channel: text, since: integer(0), until: integer(0) },
    ['query'],
  ),
  'sessions.import.chunk': closed({ agentId: text, uploadId: text, index: integer(0), data: piece, last: boolean }, ['agentId', 'uploadId', 'index', 'data', 'last']),
  'sessions.import': closed({ agentId: text, uploadId: text, key: text }, ['agentId', 'uploadId']),
  'sessions.verify': closed({ agentId: text, deep: boolean, repair: boolean }),
  'sessions.create': closed({
    key: text,
    agentId: text,
    label,
    model: text,
    parentSessionKey: text,
    fork: boolean,
    emitCommandHooks: boolean,
    task: longString,
    message: longString,
  }),
  'sessions.patch': closed({ key: text, agentId: text, ...PATCH_MEMBERS, expectedUpdatedAt: integer(0), expectedSessionId: text }, ['key']),
  'sessions.messages.subscribe': followed,
  'sessions.messages.unsubscribe': followed,
  'chat.send': closed(
    {
      sessionKey: chatKey,
      agentId: text,
      sessionId: text,
      message: longString,
      thinking: string,
      fastMode,
      fastAutoOnSeconds: integer(1),
      deliver: boolean,
      originatingChannel: string,
      originatingTo: string,
      originatingAccountId: string,
      originatingThreadId: string,
      attachments: arrayOf(any),
      timeoutMs: integer(0),
      systemInputProvenance: any,
      systemProvenanceReceipt: string,
      suppressCommandInterpretation: boolean,
      idempotencyKey: text,
    },
    ['sessionKey', 'message', 'idempotencyKey'],
  ),
  'chat.history': closed(
    { sessionKey: text, agentId: text, limit: integer(1, CHAT_HISTORY_LIMIT_MAX), maxChars: integer(1, CHAT_HISTORY_CHARS_MAX) },
    ['sessionKey'],
  ),
  'chat.startup': closed(
    { sessionKey: text, agentId: text, limit: integer(1, CHAT_HISTORY_LIMIT_MAX), maxChars: integer(1, CHAT_HISTORY_CHARS_MAX) },
    ['sessionKey'],
  ),
  'chat.metadata': closed({ agentId: text }),
  'models.list': closed({ view: string, agentId: text, provider: text }),
  'artifacts.list': closed({ sessionKey: text, runId: text, taskId: text, agentId: text }),
  'commands.list': closed({ agentId: text, provider: text, scope: wordOf('text', 'native', 'both'), includeArgs: boolean }),
  'chat.abort': closed({ sessionKey: text, agentId: text, runId: text }, ['sessionKey']),
  'chat.inject': closed({ sessionKey: text, agentId: text, message: longText, label: { kind: 'string', maxLength: INJECT_LABEL_LENGTH_MAX } }, ['sessionKey', 'message']),
  'chat.message.get': closed({ sessionKey: text, agentId: text, messageId: text, maxChars: integer(1, CHAT_HISTORY_CHARS_MAX) }, ['sessionKey', 'messageId']),
  'sessions.get': closed({ key: string, sessionKey: string, agentId: text, limit: any }),
  'sessions.send': closed(sendMembers, ['key', 'message']),
  'sessions.steer': closed(sendMembers, ['key', 'message']),
  'sessions.abort': closed({ key: text, runId: text, agentId: text }),
  'sessions.reset': closed({ key: text, agentId: text, reason: wordOf('new', 'reset', 'clear') }, ['key']),
  'sessions.delete': closed({ key: text, agentId: text, deleteTranscript: boolean, emitLifecycleHooks: boolean }, ['key']),
  'sessions.restore': closed({ key: text, agentId: text, archive: text, dryRun: boolean }, ['key']),
  'sessions.erase': closed({ key: text, peer: text, agentId: text, dryRun: boolean, confirm: boolean }),
  'sessions.archives.list': closed({ key: text, agentId: text }),
  'sessions.compact': closed({ key: text, agentId: text, maxLines: integer(1), instructions: longText }, ['key']),
  'sessions.cleanup': closed({
    agent: text,
    allAgents: boolean,
    enforce: boolean,
    activeKey: text,
    fixMissing: boolean,
    fixDmScope: boolean,
    dryRun: boolean,
  }),
  'sessions.usage': closed({
    key: text,
    agentId: text,
    agentScope: { kind: 'constant', value: 'all' },
    startDate: day,
    endDate: day,
    mode: string,
    range: wordOf('7d', '30d', '90d', '1y', 'all'),
    groupBy: wordOf('instance', 'family'),
    includeHistorical: boolean,
    utcOffset: string,
    limit: integer(1, USAGE_LIMIT_MAX),
    includeContextWeight: boolean,
  }),
  'sessions.usage.timeseries': closed({ key: string, agentId: text, limit: integer(1, USAGE_LIMIT_MAX) }),
  'sessions.usage.logs': closed({ key: string, agentId: text, limit: integer(1, USAGE_LIMIT_MAX) }),
  'sessions.compaction.list': keyOnly,
  'sessions.compaction.get': checkpoint,
  'sessions.compaction.branch': checkpoint,
  'sessions.compaction.restore': checkpoint,
  'sessions.files.list': files({ path: string, search: string }, []),
  'sessions.files.get': files({ path: text }, ['path']),
  'sessions.pluginPatch': closed({ key: text, agentId: text, pluginId: text, namespace: text, value: any, unset: boolean }, ['key', 'pluginId', 'namespace']),
  agent: closed(
    {
      message: longText,
      agentId: text,
      provider: text,
      model: text,
      to: string,
      replyTo: string,
      sessionId: string,
      sessionKey: string,
      thinking: string,
      deliver: boolean,
      attachments: arrayOf(any),
      channel: string,
      replyChannel: string,
      accountId: string,
      replyAccountId: string,
      threadId: string,
      groupId: string,
      groupChannel: string,
      groupSpace: string,
      timeout: integer(0),
      bestEffortDeliver: boolean,
      lane: string,
      cleanupBundleMcpOnRunEnd: boolean,
      modelRun: boolean,
      promptMode: wordOf('full', 'minimal', 'none'),
      extraSystemPrompt: longString,
      bootstrapContextMode: wordOf('full', 'lightweight'),
      bootstrapContextRunKind: wordOf('default', 'heartbeat', 'cron'),
      acpTurnSource: { kind: 'constant', value: 'manual_spawn' },
      internalRuntimeHandoffId: text,
      execApprovalFollowupExpectedSessionId: text,
      internalEvents: arrayOf(any),
      inputProvenance: any,
      suppressPromptPersistence: boolean,
      sessionEffects: wordOf('visible', 'internal'),
      sourceReplyDeliveryMode: wordOf('automatic', 'message_tool_only'),
      disableMessageTool: boolean,
      voiceWakeTrigger: string,
      idempotencyKey: text,
      label,
    },
    ['message', 'idempotencyKey'],
  ),
  'agent.wait': closed({ runId: text, timeoutMs: integer(0, WAIT_MS_MAX), agentId: text, sessionKey: text }, ['runId']),
  'agent.identity.get': closed({ agentId: text, sessionKey: string }),
  'agents.list': closed({}),
  'config.get': closed({}),
  'tasks.list': closed({ status: { kind: 'union', options: [taskStatus, arrayOf(taskStatus)] }, agentId: text, sessionKey: text, limit: integer(1, TASKS_PAGE_MAX), cursor: string }),
  'cron.list': closed({
    includeDisabled: boolean,
    limit: integer(1, CRON_PAGE_MAX),
    offset: integer(0),
    query: string,
    enabled: wordOf('all', 'enabled', 'disabled'),
    scheduleKind: wordOf('all', 'at', 'every', 'cron'),
    lastRunStatus: wordOf('all', 'ok', 'error', 'skipped', 'unknown'),
    sortBy: wordOf('nextRunAtMs', 'updatedAtMs', 'name'),
    sortDir: wordOf('asc', 'desc'),
    agentId: text,
    compact: boolean,
  }),
  'cron.status': closed({}),
  'node.list': closed({}),
  'channels.status': closed({ probe: boolean, timeoutMs: integer(0), channel: text }),
  'exec.approval.list': closed({}),
  'exec.approval.get': closed({ id: text }, ['id']),
  'exec.approval.resolve': closed({ id: text, decision: text }, ['id', 'decision']),
  'tools.invoke': closed({ name: text, tool: text, action: text, args: { kind: 'record', values: any }, sessionKey: text, agentId: text, confirm: boolean, dryRun: boolean, idempotencyKey: text }),
};

/**
 * The parameters of a call, `{}` for none.
 * @throws VALIDATION naming every problem
 */
export function checkedParams(method: string, params: unknown): JsonObject {
  const given = params ?? {};
  const schema = METHOD_PARAMS[method] ?? { kind: 'record', values: any };
  const misfit = describeMisfit(schema, given);
  if (misfit !== undefined) throw new SessionError('VALIDATION', `invalid ${method} params: ${misfit}`);
  return given as JsonObject;
}

/** The closed parameter sets of the gateway's methods, one place for all of them. */
import { LABEL_LENGTH_MAX, SessionError } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { any, arrayOf, boolean, closed, describeMisfit, integer, orNull, string, text, wordOrNull } from './schema';
import type { ObjectSchema, Schema } from './schema';

/** Sessions that one preview may name. */
export const PREVIEW_KEYS_MAX = 200;
/** Longest `sessionKey` of `chat.send`, in UTF-16 units. */
const CHAT_KEY_LENGTH_MAX = 512;
/** Most messages of one `chat.history`. */
const CHAT_HISTORY_LIMIT_MAX = 1000;
const CHAT_HISTORY_CHARS_MAX = 500_000;
const SEARCH_LIMIT_MAX = 100;

const label: Schema = { kind: 'string', minLength: 1, maxLength: LABEL_LENGTH_MAX };
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

const keyOnly = closed({ key: text, agentId: text }, ['key']);

/** Parameters of every method that is served; one that is missing here takes anything. */
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
    { query: text, agentId: text, in: { kind: 'enum', values: ['meta', 'text'] }, limit: integer(1, SEARCH_LIMIT_MAX), cursor: text },
    ['query'],
  ),
  'sessions.verify': closed({ agentId: text, deep: boolean, repair: boolean }),
  'sessions.create': closed({
    key: text,
    agentId: text,
    label,
    model: text,
    parentSessionKey: text,
    fork: boolean,
    emitCommandHooks: boolean,
    task: string,
    message: string,
  }),
  'sessions.patch': closed({ key: text, agentId: text, ...PATCH_MEMBERS, expectedUpdatedAt: integer(0), expectedSessionId: text }, ['key']),
  'sessions.messages.subscribe': keyOnly,
  'sessions.messages.unsubscribe': keyOnly,
  'chat.send': closed(
    {
      sessionKey: chatKey,
      agentId: text,
      sessionId: text,
      message: string,
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
  'agents.list': closed({}),
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

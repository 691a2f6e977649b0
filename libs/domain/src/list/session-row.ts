/**
 * One row of a list, as far as it follows from the entry: the single form from which the command
 * line, the gateway and the agents' tools each make their own. What depends on configuration, on the
 * caller or on the time is added there.
 */
import { SessionRow, jsonBytes } from '@sessions/contracts';
import type { ParsedEntry } from '../entry/entry';
import { RUNS_MEMBER } from '../entry/open-work';
import { nativeView } from '../entry/simple-format';
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import { SEVERAL_SENDERS_MEMBER } from '../routing/dm-scope-warning';
import { displayNameOf } from './display-name';

type Listed = Extract<ParsedEntry, { listed: true }>;

export interface RowFacts {
  /** Agent of the store that holds the row. */
  readonly agentId: string;
  /** User and assistant messages of the transcript; undefined while they have not been counted. */
  readonly messageCount?: number;
  readonly transcriptBytes?: number;
}

/** Members that lists show and that have no column of their own. */
const EXTRA_MEMBERS = ['goal', 'fallbackNoticeReason', 'heartbeatIsolatedBaseSessionKey', 'pluginExtensions', SEVERAL_SENDERS_MEMBER] as const;

export function toSessionRow(key: string, entry: Listed, facts: RowFacts): SessionRow {
  const members = nativeView(entry.members);
  const text = (name: string): string | undefined => asText(members[name]);
  const whole = (name: string): number | undefined => asWhole(members[name]);
  const flag = (name: string): boolean | undefined => (typeof members[name] === 'boolean' ? members[name] : undefined);
  const json = (name: string): SessionRow['originJson']  => (isJsonObject(members[name]) ? jsonBytes(members[name]) : undefined);
  const checkpoints = Array.isArray(members['compactionCheckpoints']) ? (members['compactionCheckpoints'] as readonly JsonValue[]) : [];
  const latestCheckpoint = checkpoints[checkpoints.length - 1];
  return SessionRow.create({
    key,
    agentId: facts.agentId,
    sessionId: entry.sessionId ?? undefined,
    updatedAtMs: entry.updatedAtMs ?? undefined,
    sessionStartedAtMs: whole('sessionStartedAt'),
    lastInteractionAtMs: whole('lastInteractionAt'),
    createdAtMs: whole('createdAt'),
    chatType: text('chatType'),
    spawnedBy: text('spawnedBy'),
    label: text('label'),
    displayName: text('displayName'),
    subject: text('subject'),
    channel: text('channel'),
    groupChannel: text('groupChannel'),
    space: text('space'),
    groupId: text('groupId'),
    originJson: json('origin'),
    deliveryContextJson: json('deliveryContext'),
    routeJson: json('route'),
    lastChannel: text('lastChannel'),
    lastTo: text('lastTo'),
    lastAccountId: text('lastAccountId'),
    lastThreadId: asScalarText(members['lastThreadId']),
    thinkingLevel: text('thinkingLevel'),
    fastMode: asScalarText(members['fastMode']),
    verboseLevel: text('verboseLevel'),
    traceLevel: text('traceLevel'),
    reasoningLevel: text('reasoningLevel'),
    elevatedLevel: text('elevatedLevel'),
    responseUsage: text('responseUsage'),
    groupActivation: text('groupActivation'),
    sendPolicy: text('sendPolicy'),
    queueMode: text('queueMode'),
    execHost: text('execHost'),
    execSecurity: text('execSecurity'),
    execAsk: text('execAsk'),
    execNode: text('execNode'),
    inputTokens: whole('inputTokens'),
    outputTokens: whole('outputTokens'),
    totalTokens: whole('totalTokens'),
    totalTokensFresh: flag('totalTokensFresh'),
    cacheReadTokens: whole('cacheRead'),
    cacheWriteTokens: whole('cacheWrite'),
    contextTokens: whole('contextTokens'),
    estimatedCostUsd: asNumber(members['estimatedCostUsd']),
    contextBudgetStatusJson: json('contextBudgetStatus'),
    modelProvider: text('modelProvider'),
    model: text('model'),
    providerOverride: text('providerOverride'),
    modelOverride: text('modelOverride'),
    modelOverrideSource: text('modelOverrideSource'),
    authProfileOverride: text('authProfileOverride'),
    liveModelSwitchPending: flag('liveModelSwitchPending'),
    agentRuntimeJson: typeof members['agentRuntimeOverride'] === 'string' ? jsonBytes(members['agentRuntimeOverride']) : undefined,
    status: text('status'),
    startedAtMs: whole('startedAt'),
    endedAtMs: whole('endedAt'),
    runtimeMs: whole('runtimeMs'),
    systemSent: flag('systemSent'),
    abortedLastRun: flag('abortedLastRun'),
    hasActiveRun: hasOpenRun(members) ? true : undefined,
    parentSessionKey: text('parentSessionKey'),
    spawnedWorkspaceDir: text('spawnedWorkspaceDir'),
    spawnedCwd: text('spawnedCwd'),
    spawnDepth: asInt32(members['spawnDepth']),
    subagentRole: text('subagentRole'),
    subagentControlScope: text('subagentControlScope'),
    archiveAtMs: whole('archiveAt'),
    compactionCount: asInt32(members['compactionCount']),
    compactionCheckpointCount: checkpoints.length > 0 ? checkpoints.length : undefined,
    latestCompactionCheckpointJson: latestCheckpoint === undefined ? undefined : jsonBytes(latestCheckpoint),
    lastCompactionAtMs: whole('lastCompactionAt'),
    previousSessionId: text('previousSessionId'),
    lastResetReason: text('lastResetReason'),
    lastResetAtMs: whole('lastResetAt'),
    messageCount: facts.messageCount ?? whole('messageCount'),
    transcriptBytes: facts.transcriptBytes,
    sessionFile: text('sessionFile'),
    extraJson: extraOf(members),
  });
}

/**
 * What a search looks through, lower-cased: names, ids, key and model; never transcript text. Of the
 * model both the chosen and the one used last count.
 */
export function searchTextOf(row: SessionRow): string {
  return searchedNamesOf(row).join('\n').toLowerCase();
}

/** The same one by one, as they are written; what a person knows a session by comes first. */
export function searchedNamesOf(row: SessionRow): string[] {
  const models = [[row.providerOverride, row.modelOverride], [row.modelProvider, row.model]].filter(([, model]) => model !== undefined && model !== '').map(([provider, model]) => `${provider ?? ''}/${model ?? ''}`);
  const parts = [displayNameOf(row), row.label, row.subject, row.sessionId, row.key, ...models];
  return parts.filter((part) => part !== undefined);
}

/** A turn is under way or waits; without one nothing is said, since others write stores too. */
function hasOpenRun(members: JsonObject): boolean {
  const runs = members[RUNS_MEMBER];
  return Array.isArray(runs) && (runs as readonly JsonValue[]).some((run) => isJsonObject(run) && run['state'] !== 'over');
}

function extraOf(members: JsonObject): SessionRow['extraJson'] {
  const found = EXTRA_MEMBERS.filter((name) => members[name] !== undefined && members[name] !== null);
  return found.length === 0 ? undefined : jsonBytes(Object.fromEntries(found.map((name) => [name, members[name]])));
}

function asText(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Text of a string, number or boolean. */
function asScalarText(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function asNumber(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** int64 fields hold whole numbers below 2^53, and no negative zero. */
function asWhole(value: JsonValue | undefined): number | undefined {
  const number = asNumber(value);
  return number === undefined || Math.abs(number) > Number.MAX_SAFE_INTEGER ? undefined : Math.trunc(number) + 0;
}

function asInt32(value: JsonValue | undefined): number | undefined {
  const number = asWhole(value);
  return number === undefined || Math.abs(number) > 0x7fffffff ? undefined : number;
}

/**
 * A row of the gateway's `sessions.list`: measured names and rules; absent values are omitted, not
 * null (but `updatedAt`).
 */
import type { SessionRow } from '@sessions/contracts';
import type { JsonValue } from '../json';
import { gatewayRowKind } from '../keys/key-kind';

/** What a row falls back on where its entry says nothing; of the agent that the row belongs to. */
export interface GatewayRowDefaults {
  readonly modelProvider: string | undefined;
  readonly model: string | undefined;
  readonly contextTokens: number;
  readonly thinkingDefault: string;
}

/** Levels a client may offer while no model catalogue says more. */
export const THINKING_LEVELS = ['off', 'minimal', 'low', 'medium', 'high'] as const;

/** Rows of a list answer name these under `defaults` too. */
export function thinkingMembers(thinkingDefault: string): Readonly<Record<string, JsonValue>> {
  return {
    thinkingLevels: THINKING_LEVELS.map((id) => ({ id, label: id })),
    thinkingOptions: [...THINKING_LEVELS],
    thinkingDefault,
  };
}

/** Pure; titles and previews are added by whoever has read them. */
export function toGatewayRow(row: SessionRow, defaults: GatewayRowDefaults): Record<string, JsonValue> {
  const model = row.modelOverride ?? row.model ?? defaults.model;
  const modelProvider = row.modelOverride === undefined ? (row.model === undefined ? defaults.modelProvider : row.modelProvider) : (row.providerOverride ?? defaults.modelProvider);
  const hasTotal = row.totalTokens !== undefined && row.totalTokens >= 0;
  return withoutAbsent({
    key: row.key,
    kind: gatewayRowKind(row.key, row.chatType === undefined ? {} : { chatType: row.chatType }),
    label: row.label,
    displayName: row.displayName,
    derivedTitle: row.derivedTitle,
    lastMessagePreview: row.lastMessagePreview,
    channel: row.channel,
    subject: row.subject,
    groupChannel: row.groupChannel,
    space: row.space,
    chatType: row.chatType,
    origin: parsed(row.originJson),
    updatedAt: row.updatedAtMs ?? null,
    sessionId: row.sessionId,
    systemSent: row.systemSent,
    abortedLastRun: row.abortedLastRun,
    thinkingLevel: row.thinkingLevel,
    ...thinkingMembers(defaults.thinkingDefault),
    fastMode: fastModeOf(row.fastMode),
    effectiveFastMode: row.fastMode === 'true',
    effectiveFastModeSource: row.fastMode === undefined ? 'default' : 'session',
    verboseLevel: row.verboseLevel,
    traceLevel: row.traceLevel,
    reasoningLevel: row.reasoningLevel,
    elevatedLevel: row.elevatedLevel,
    sendPolicy: row.sendPolicy,
    responseUsage: row.responseUsage,
    inputTokens: row.inputTokens,
    outputTokens: row.outputTokens,
    totalTokens: hasTotal ? row.totalTokens : undefined,
    totalTokensFresh: hasTotal && row.totalTokensFresh !== false,
    estimatedCostUsd: row.estimatedCostUsd,
    status: row.status,
    startedAt: row.startedAtMs,
    endedAt: row.endedAtMs,
    runtimeMs: row.runtimeMs,
    spawnedBy: row.spawnedBy,
    spawnedWorkspaceDir: row.spawnedWorkspaceDir,
    spawnedCwd: row.spawnedCwd,
    spawnDepth: row.spawnDepth,
    subagentRole: row.subagentRole,
    subagentControlScope: row.subagentControlScope,
    parentSessionKey: row.parentSessionKey,
    childSessions: row.childSessionKeys.length > 0 ? row.childSessionKeys : undefined,
    modelProvider,
    model,
    agentRuntime: { id: 'auto', source: 'implicit' },
    contextTokens: row.contextTokens ?? defaults.contextTokens,
    contextBudgetStatus: parsed(row.contextBudgetStatusJson),
    deliveryContext: parsed(row.deliveryContextJson),
    lastChannel: row.lastChannel,
    lastTo: row.lastTo,
    lastAccountId: row.lastAccountId,
    lastThreadId: row.lastThreadId,
    compactionCheckpointCount: row.compactionCheckpointCount,
    latestCompactionCheckpoint: parsed(row.latestCompactionCheckpointJson),
    hasActiveRun: row.hasActiveRun ?? false,
    messageCount: row.messageCount,
  });
}

function withoutAbsent(row: Readonly<Record<string, JsonValue | undefined>>): Record<string, JsonValue> {
  const result: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(row)) if (value !== undefined) result[name] = value;
  return result;
}

function parsed(bytes: Uint8Array | undefined): JsonValue | undefined {
  return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as JsonValue);
}

function fastModeOf(stored: string | undefined): JsonValue | undefined {
  return stored === 'true' || stored === 'false' ? stored === 'true' : stored;
}

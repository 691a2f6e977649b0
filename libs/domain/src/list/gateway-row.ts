/**
 * A row of the gateway's `sessions.list`: measured names and rules; absent values are omitted, not
 * null (but `updatedAt`).
 */
import type { SessionRow } from '@sessions/contracts';
import { parseModelRef } from '../config/agents';
import { isJsonObject, type JsonValue } from '../json';
import { gatewayRowKind } from '../keys/key-kind';
import { channelOf, displayNameOf } from './display-name';

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

/** The runtime that is named beside a model (measured). */
export function agentRuntimeOf(modelProvider: string | undefined): { readonly id: string; readonly source: 'implicit' } {
  return { id: modelProvider?.toLowerCase() === 'openai' ? 'codex' : 'auto', source: 'implicit' };
}

/** Seconds after which a fast mode of `auto` begins where nothing is configured (measured). */
const FAST_AUTO_ON_SECONDS = 60;

/** What a row shows of its newest compaction checkpoint (measured). */
const CHECKPOINT_MEMBERS = ['checkpointId', 'createdAt', 'reason'] as const;

const SHARED_KEYS: ReadonlySet<string> = new Set(['global', 'unknown']);

/** Pure; titles and previews are added by whoever has read them. */
export function toGatewayRow(row: SessionRow, defaults: GatewayRowDefaults): Record<string, JsonValue> {
  const { provider: modelProvider, model } = shownModel(row, defaults);
  const hasTotal = row.totalTokens !== undefined && row.totalTokens >= 0;
  return withoutAbsent({
    key: shownKey(row),
    kind: gatewayRowKind(row.key, row.chatType === undefined ? {} : { chatType: row.chatType }),
    label: row.label,
    displayName: displayNameOf(row),
    derivedTitle: row.derivedTitle,
    lastMessagePreview: row.lastMessagePreview,
    channel: channelOf(row),
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
    effectiveFastMode: fastModeOf(row.fastMode) ?? false,
    effectiveFastModeSource: row.fastMode === undefined ? 'default' : 'session',
    fastAutoOnSeconds: FAST_AUTO_ON_SECONDS,
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
    agentRuntime: agentRuntimeOf(modelProvider),
    contextTokens: row.contextTokens ?? defaults.contextTokens,
    contextBudgetStatus: parsed(row.contextBudgetStatusJson),
    deliveryContext: parsed(row.deliveryContextJson),
    lastChannel: row.lastChannel,
    lastTo: row.lastTo,
    lastAccountId: row.lastAccountId,
    lastThreadId: row.lastThreadId,
    compactionCheckpointCount: row.compactionCheckpointCount,
    latestCompactionCheckpoint: checkpointOf(parsed(row.latestCompactionCheckpointJson)),
    hasActiveRun: row.hasActiveRun ?? false,
    messageCount: row.messageCount,
  });
}

/** Keys of older releases stand without their agent; they are shown, and found, under it (measured). */
function shownKey({ key, agentId }: SessionRow): string {
  return key.startsWith('agent:') || SHARED_KEYS.has(key) ? key : `agent:${agentId}:${key}`;
}

/** Providers that are programs: their models are shown under the agent's own provider (measured). */
const PROGRAM_PROVIDERS: ReadonlySet<string> = new Set(['claude-cli', 'google-gemini-cli']);

/** The chosen model, else the one used last, else the agent's; a stored provider is not looked for in the model's name. */
function shownModel(row: SessionRow, defaults: GatewayRowDefaults): { provider: string | undefined; model: string | undefined } {
  const named = (name: string, stored: string | undefined): { provider: string | undefined; model: string } => {
    if (stored !== undefined && stored !== '') return { provider: PROGRAM_PROVIDERS.has(stored) ? defaults.modelProvider : stored, model: name };
    const { provider, model } = parseModelRef(name);
    return { provider: provider ?? defaults.modelProvider, model };
  };
  if (row.modelOverride !== undefined && row.modelOverride !== '') return named(row.modelOverride, row.providerOverride);
  if (row.model !== undefined && row.model !== '') return named(row.model, row.modelProvider);
  return { provider: defaults.modelProvider, model: defaults.model };
}

function checkpointOf(stored: JsonValue | undefined): JsonValue | undefined {
  if (!isJsonObject(stored)) return undefined;
  return Object.fromEntries(CHECKPOINT_MEMBERS.filter((name) => stored[name] !== undefined).map((name) => [name, stored[name]]));
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

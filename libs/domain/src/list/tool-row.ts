/** A row as the agents' tool `sessions_list` shows it (tools §3). Absent values are omitted. */
import type { SessionRow } from '@sessions/contracts';
import type { JsonObject, JsonValue } from '../json';
import { namedKey } from '../keys/session-key';
import { toolChannel, toolRowKind } from '../keys/key-kind';
import { displayNameOf } from './display-name';

export interface ToolRowFacts {
  /** `session.mainKey`. */
  readonly mainKey: string;
  /** The caller's own main session is shown as `main`. */
  readonly isOwnMain: boolean;
  /** Directory of the store; undefined: not known. */
  readonly storeDir: string | undefined;
  /** Model of the agent where the row names none, as provider/model. */
  readonly defaultModel: string | undefined;
  readonly defaultContextTokens: number;
}

export function toToolRow(row: SessionRow, facts: ToolRowFacts): JsonObject {
  const kindFacts = { ...(row.channel !== undefined && { channel: row.channel }), ...(row.lastChannel !== undefined && { lastChannel: row.lastChannel }) };
  return {
    key: facts.isOwnMain ? 'main' : namedKey(row.agentId, row.key),
    agentId: row.agentId,
    kind: toolRowKind(row.key, facts.mainKey),
    channel: toolChannel(row.key, kindFacts),
    label: row.label,
    displayName: displayNameOf(row),
    derivedTitle: row.derivedTitle,
    lastMessagePreview: row.lastMessagePreview,
    origin: parsed(row.originJson),
    updatedAt: row.updatedAtMs,
    sessionId: row.sessionId,
    model: modelOf(row) ?? facts.defaultModel,
    contextTokens: row.contextTokens ?? facts.defaultContextTokens,
    totalTokens: tokensOf(row),
    thinkingLevel: row.thinkingLevel,
    verboseLevel: row.verboseLevel,
    systemSent: row.systemSent,
    abortedLastRun: row.abortedLastRun,
    sendPolicy: row.sendPolicy,
    lastChannel: row.lastChannel,
    lastTo: row.lastTo,
    deliveryContext: parsed(row.deliveryContextJson),
    transcriptPath: transcriptPathOf(row, facts.storeDir),
    status: row.status,
    startedAt: row.startedAtMs,
    endedAt: row.endedAtMs,
    runtimeMs: row.runtimeMs,
    estimatedCostUsd: row.estimatedCostUsd,
    parentSessionKey: row.parentSessionKey ?? row.spawnedBy,
    childSessions: row.childSessionKeys.length > 0 ? row.childSessionKeys : undefined,
  };
}

/** `provider/model` of the choice made for the session, else of its last run; undefined: neither. */
export function modelOf(row: SessionRow): string | undefined {
  const named = (provider: string | undefined, model: string | undefined): string | undefined => (model === undefined || model === '' ? undefined : provider === undefined || provider === '' ? model : `${provider}/${model}`);
  return named(row.providerOverride, row.modelOverride) ?? named(row.modelProvider, row.model);
}

export function tokensOf(row: SessionRow): number | undefined {
  if (row.totalTokens !== undefined && row.totalTokens >= 0) return row.totalTokens;
  return row.inputTokens === undefined && row.outputTokens === undefined ? undefined : (row.inputTokens ?? 0) + (row.outputTokens ?? 0);
}

function transcriptPathOf({ sessionFile, sessionId }: SessionRow, storeDir: string | undefined): string | undefined {
  if (storeDir === undefined || sessionId === undefined) return undefined;
  if (sessionFile?.startsWith('/') === true) return sessionFile;
  return `${storeDir}/${sessionFile ?? `${sessionId}.jsonl`}`;
}

function parsed(bytes: Uint8Array | undefined): JsonValue | undefined {
  return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as JsonValue);
}

/**
 * What a reset makes of an entry (lifecycle §3): a new session id under the same key. What the user
 * chose stays; what told of the old transcript goes. Files, events and queued messages are the
 * owner's.
 */
import { parseModelRef, type ModelRef } from '../config/agents';
import type { JsonObject, JsonValue } from '../json';
import { APPROVALS_MEMBER } from './open-work';
import type { EntryPatch } from './patch-fields';
import { REMOVAL_NOTICE_MEMBER } from './removal-notice';
import { planModelChoice } from './patch-model';
import { familyWith } from './session-family';
import { createEntryFields } from './touch';

export type ResetReason = 'new' | 'reset' | 'clear' | 'daily' | 'idle' | 'cron-run';

/** Members that only told of the transcript before. Costs stay in the usage ledger. */
const OF_RUNS = [REMOVAL_NOTICE_MEMBER, APPROVALS_MEMBER, 'status', 'startedAt', 'endedAt', 'runtimeMs', 'estimatedCostUsd', 'skillsSnapshot', 'systemPromptReport', 'contextBudgetStatus', 'cacheRead', 'cacheWrite'];
const OF_COMPACTION = ['pendingCompaction', 'compactionAttempt', 'lastCompactionAt', 'memoryFlushAt', 'memoryFlushCompactionCount', 'memoryFlushContextHash', 'memoryFlushFailureCount', 'memoryFlushLastFailedAt', 'memoryFlushLastFailureError'];
/** Bindings to sessions that a runtime of its own keeps. */
const OF_RUNTIMES = ['acp', 'cliSessionIds', 'cliSessionBindings', 'claudeCliSessionId'];

export interface ResetRequest {
  readonly key: string;
  readonly reason: ResetReason;
  readonly sessionId: string;
  readonly sessionFile: string;
  readonly nowMs: number;
  /** `/new <model>`: the override that replaces the one before. */
  readonly model?: { readonly wanted: string; readonly defaultModel: ModelRef | undefined };
}

/**
 * @param entry its members under native names; undefined for a key without a row, which gets one.
 * @returns what to set and clear; everything else, unknown members too, stays.
 * @throws VALIDATION for a model with an empty part.
 */
export function resetEntry(entry: JsonObject | undefined, request: ResetRequest): EntryPatch {
  const { nowMs } = request;
  const model = request.model === undefined ? undefined : planModelChoice(request.model.wanted, entry ?? {}, request.model.defaultModel);
  const created = createEntryFields(request);
  const set: Record<string, JsonValue> = {
    ...created,
    sessionStartedAt: nowMs,
    lastInteractionAt: nowMs,
    ...ancestry(entry, request),
    inputTokens: 0,
    outputTokens: 0,
    totalTokens: 0,
    totalTokensFresh: true,
    systemSent: false,
    abortedLastRun: false,
    compactionCount: 0,
    ...model?.set,
  };
  const gone = [...OF_RUNS, ...OF_COMPACTION, ...OF_RUNTIMES].filter((name) => entry?.[name] !== undefined);
  const clear = new Set([...gone, ...(model?.clear ?? [])]);
  return { set, clear: [...clear].filter((name) => !Object.hasOwn(set, name)) };
}

/** The model that the next run will use, named in the entry of a reset that was asked for (measured); empty where none is configured. */
export function selectedModel(entry: JsonObject, defaultModel: ModelRef | undefined): Record<string, JsonValue> {
  const text = (name: string): string | undefined => (typeof entry[name] === 'string' && entry[name] !== '' ? entry[name] : undefined);
  const [override, stored] = [text('modelOverride'), text('providerOverride')];
  const chosen = override === undefined ? defaultModel : stored === undefined ? parseModelRef(override) : { model: override, provider: stored };
  const provider = chosen?.provider ?? defaultModel?.provider;
  return chosen === undefined ? {} : { model: chosen.model, ...(provider !== undefined && { modelProvider: provider }) };
}

/**
 * Where the session came from. A file whose id stands in the family counts as referenced (decision 30).
 */
function ancestry(entry: JsonObject | undefined, { key, reason, sessionId, nowMs }: ResetRequest): Record<string, JsonValue> {
  const before = typeof entry?.['sessionId'] === 'string' && entry['sessionId'] !== '' ? entry['sessionId'] : undefined;
  if (before === undefined) return { lastResetAt: nowMs, lastResetReason: reason };
  return {
    previousSessionId: before,
    lastResetAt: nowMs,
    lastResetReason: reason,
    ...(typeof entry?.['usageFamilyKey'] === 'string' ? {} : { usageFamilyKey: key }),
    usageFamilySessionIds: familyWith(entry, [before, sessionId]),
  };
}

/** What an isolated cron run takes over from its job's row. */
const KEPT_BY_CRON = ['label', 'thinkingLevel', 'fastMode', 'verboseLevel'];
const MODEL_CHOICE = ['providerOverride', 'modelOverride', 'modelOverrideSource', 'authProfileOverride', 'authProfileOverrideSource'];

/**
 * The row of one isolated cron run: always a new session id (decision 42). Routing, send and queue
 * policy, elevation, origin and runtime bindings are left behind, and so is a model that nobody chose.
 * @param job members of the job's row; undefined at the first run.
 */
export function cronRunEntry(job: JsonObject | undefined, run: { readonly sessionId: string; readonly sessionFile: string; readonly nowMs: number }): Record<string, JsonValue> {
  const chosen = job?.['modelOverrideSource'] === 'user' ? MODEL_CHOICE : [];
  return { ...createEntryFields(run, pick(job ?? {}, [...KEPT_BY_CRON, ...chosen])), sessionStartedAt: run.nowMs, lastInteractionAt: run.nowMs, systemSent: false, abortedLastRun: false };
}

/** The members of these names that are there. */
export function pick(entry: JsonObject, names: readonly string[]): Record<string, JsonValue> {
  return Object.fromEntries(names.flatMap((name) => (entry[name] === undefined ? [] : [[name, entry[name]] as const])));
}

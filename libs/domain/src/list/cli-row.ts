/**
 * A row of `openclaw sessions --json`: names, order and fallbacks of its members are those that
 * scripts know (measured); absent ones are omitted. It follows from the list row alone, so rows of
 * the index and rows of the files give the same JSON.
 */
import type { SessionRow } from '@sessions/contracts';
import { contextTokensFor, modelFor, parseModelRef, type ModelRef } from '../config/agents';
import type { SessionConfig } from '../config/parse-config';
import { isAgentId, type AgentId } from '../ids';
import { cliRowKind, type CliRowKind } from '../keys/key-kind';
import { agentRuntimeOf } from './gateway-row';

/** Members in the order of the JSON. */
export interface CliRow {
  readonly key: string;
  /** Epoch milliseconds; null when the entry has none, 0 when it has no instant. */
  readonly updatedAt: number | null;
  /** Null for an `updatedAt` of null or 0; negative for one in the future. */
  readonly ageMs: number | null;
  readonly sessionId?: string;
  readonly systemSent?: boolean;
  readonly abortedLastRun?: boolean;
  readonly thinkingLevel?: string;
  readonly verboseLevel?: string;
  readonly traceLevel?: string;
  readonly reasoningLevel?: string;
  readonly elevatedLevel?: string;
  readonly responseUsage?: string;
  readonly groupActivation?: string;
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  /** Null when never counted or negative. */
  readonly totalTokens: number | null;
  readonly totalTokensFresh: boolean;
  readonly model: string | null;
  readonly modelProvider: string | null;
  readonly providerOverride?: string;
  readonly modelOverride?: string;
  readonly contextTokens: number;
  /** The agent that the key names, else the store's. */
  readonly agentId: AgentId;
  readonly acpRuntime: boolean;
  readonly agentRuntime: { readonly id: string; readonly source: 'implicit' };
  readonly kind: CliRowKind;
  // Beyond the measured row, behind all of it.
  readonly messageCount?: number;
  readonly label?: string;
  readonly displayName?: string;
  readonly channel?: string;
  readonly status?: string;
}

export interface CliRowFacts {
  readonly config: SessionConfig;
  /** Agent of keys that name none. */
  readonly agentId: AgentId;
  readonly nowMs: number;
}

/** Providers that are programs: a model that one of them ran is shown under the agent's own provider (measured). */
const PROGRAM_PROVIDERS: ReadonlySet<string> = new Set(['claude-cli', 'google-gemini-cli']);

const SETTINGS = ['systemSent', 'abortedLastRun', 'thinkingLevel', 'verboseLevel', 'traceLevel', 'reasoningLevel', 'elevatedLevel', 'responseUsage', 'groupActivation', 'inputTokens', 'outputTokens'] as const;
const OVERRIDES = ['providerOverride', 'modelOverride'] as const;
const BEYOND = ['messageCount', 'label', 'displayName', 'channel', 'status'] as const;

export function toCliRow(row: SessionRow, { config, agentId: storeAgentId, nowMs }: CliRowFacts): CliRow {
  const { key } = row;
  const agentId = agentNamedBy(key) ?? storeAgentId;
  const updatedAt = row.updatedAtMs ?? null;
  const shown = shownModel(row, modelFor(config, agentId));
  const totalTokens = row.totalTokens !== undefined && row.totalTokens >= 0 ? row.totalTokens : null;
  return {
    key,
    updatedAt,
    ageMs: updatedAt === null || updatedAt === 0 ? null : nowMs - updatedAt,
    ...present(row, ['sessionId']),
    ...present(row, SETTINGS),
    totalTokens,
    totalTokensFresh: totalTokens !== null && row.totalTokensFresh !== false,
    model: shown.model,
    modelProvider: shown.provider,
    ...present(row, OVERRIDES),
    contextTokens: row.contextTokens !== undefined && row.contextTokens >= 0 ? row.contextTokens : contextTokensFor(config, agentId),
    agentId,
    acpRuntime: false,
    agentRuntime: agentRuntimeOf(shown.provider ?? undefined),
    kind: cliRowKind(key, present(row, ['spawnedBy', 'chatType'])),
    ...present(row, BEYOND),
  };
}

function agentNamedBy(key: string): AgentId | undefined {
  const named = /^agent:([^:]+):./su.exec(key)?.[1]?.toLowerCase();
  return named !== undefined && isAgentId(named) ? named : undefined;
}

interface ShownModel {
  readonly provider: string | null;
  readonly model: string | null;
}

/**
 * The chosen model, else the one used last, else the configured one. A provider in the model's own
 * name is shown rather than the one stored beside it (measured).
 */
function shownModel(row: SessionRow, configured: ModelRef | undefined): ShownModel {
  const fallback = configured?.provider ?? null;
  const named = (name: string, provider: string | undefined): ShownModel => {
    const split = parseModelRef(name);
    return { provider: split.provider ?? (isSet(provider) ? provider : fallback), model: split.model };
  };
  if (isSet(row.modelOverride)) return named(row.modelOverride, row.providerOverride);
  if (isSet(row.model)) return named(row.model, PROGRAM_PROVIDERS.has(row.modelProvider ?? '') ? undefined : row.modelProvider);
  return { provider: fallback, model: configured?.model ?? null };
}

function isSet(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

/** The members of `row` that it has, in the order of `names`. */
function present<Name extends keyof SessionRow>(row: SessionRow, names: readonly Name[]): Partial<Pick<SessionRow, Name>> {
  const found: Partial<Pick<SessionRow, Name>> = {};
  for (const name of names) if (row[name] !== undefined) found[name] = row[name];
  return found;
}

/**
 * From the stored row to the one that a listing shows: field names, order and fallbacks are those
 * that scripts know (compatibility page, measured); absent members are omitted.
 */
import type { ListedRow } from '../render/list-document';
import type { SessionRow } from '@sessions/contracts';
import { cliRowKind, contextTokensFor, isAgentId, modelFor, parseModelRef } from '@sessions/domain';
import type { AgentId, SessionConfig } from '@sessions/domain';

export interface CliRow extends ListedRow {
  readonly totalTokensFresh: boolean;
  readonly modelProvider: string | null;
  readonly providerOverride?: string;
  readonly modelOverride?: string;
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly acpRuntime: boolean;
  readonly agentRuntime: { readonly id: string; readonly source: 'implicit' };
  readonly label?: string;
  readonly displayName?: string;
  readonly channel?: string;
  readonly status?: string;
}

export interface RowContext {
  readonly config: SessionConfig;
  /** Agent of keys that name none. */
  readonly agentId: AgentId;
  readonly nowMs: number;
}

/** Providers that are programs: their models are shown under the agent's own provider (measured). */
const PROGRAM_PROVIDERS: ReadonlySet<string> = new Set(['claude-cli', 'codex-cli', 'google-gemini-cli']);

interface ShownModel {
  readonly provider: string | null;
  readonly model: string | null;
}

/** The chosen model, else the one used last, else the configured one. */
function shownModel(row: SessionRow, configured: ReturnType<typeof modelFor>): ShownModel {
  const fallback = configured?.provider ?? null;
  const named = (name: string, provider: string | undefined): ShownModel => {
    if (provider !== undefined && provider !== '') return { provider: PROGRAM_PROVIDERS.has(provider) ? fallback : provider, model: name };
    const split = parseModelRef(name);
    return { provider: split.provider ?? fallback, model: split.model };
  };
  if (row.modelOverride !== undefined && row.modelOverride !== '') return named(row.modelOverride, row.providerOverride);
  if (row.model !== undefined && row.model !== '') return named(row.model, row.modelProvider);
  return { provider: fallback, model: configured?.model ?? null };
}

/** The members of `row` that it has, in the order of `names`. */
function present<Name extends keyof SessionRow>(row: SessionRow, names: readonly Name[]): Partial<Pick<SessionRow, Name>> {
  const found: Partial<Pick<SessionRow, Name>> = {};
  for (const name of names) if (row[name] !== undefined) found[name] = row[name];
  return found;
}

const SETTINGS = ['systemSent', 'abortedLastRun', 'thinkingLevel', 'verboseLevel', 'traceLevel', 'reasoningLevel', 'elevatedLevel', 'responseUsage', 'groupActivation', 'inputTokens', 'outputTokens'] as const;
const OVERRIDES = ['providerOverride', 'modelOverride'] as const;
const OURS = ['messageCount', 'label', 'displayName', 'channel', 'status'] as const;

export function toCliRow(row: SessionRow, { config, agentId: storeAgentId, nowMs }: RowContext): CliRow {
  const { key } = row;
  const named = /^agent:([^:]+):./u.exec(key)?.[1];
  const agentId = named !== undefined && isAgentId(named) ? named : storeAgentId;
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
    agentRuntime: { id: shown.provider === 'openai' ? 'codex' : 'auto', source: 'implicit' },
    kind: cliRowKind(key, present(row, ['spawnedBy', 'chatType'])),
    ...present(row, OURS),
  };
}

/** What `openclaw status` knows from the files: stores, newest sessions, what needs attention. */
import type { CliContext } from '../cli-context';
import { openOfflineStore } from './open-offline-store';
import type { StoredEntry } from './offline-store';
import { toRow } from './row-rules';
import type { CliRow } from './row-rules';
import { selectStores } from './select-stores';
import { SessionError, configuredAgents, contextTokensFor, isJsonObject, modelFor } from '@sessions/domain';

export interface AgentStatus {
  readonly agentId: string;
  readonly path: string;
  /** Null when the store cannot be read. */
  readonly count: number | null;
  readonly recent: readonly CliRow[];
  /** Sums over all rows; only when asked for. */
  readonly usage?: { readonly inputTokens: number; readonly outputTokens: number; readonly estimatedCostUsd: number };
}

export interface SessionsStatus {
  readonly paths: readonly string[];
  readonly count: number;
  readonly defaults: { readonly model: string | null; readonly contextTokens: number };
  /** Newest first over all agents. */
  readonly recent: readonly CliRow[];
  readonly byAgent: readonly AgentStatus[];
}

export interface StatusReading {
  readonly sessions: SessionsStatus;
  readonly warnings: readonly string[];
}

export const RECENT_MAX = 10;

export interface StatusOptions {
  readonly nowMs: number;
  /** Every session instead of the newest RECENT_MAX. */
  readonly all: boolean;
  readonly usage: boolean;
}

const numberOf = (found: StoredEntry, name: string): number => {
  const value = found.entry[name];
  return typeof value === 'number' && value > 0 ? value : 0;
};

const sum = (entries: readonly StoredEntry[], name: string): number => entries.reduce((total, found) => total + numberOf(found, name), 0);

/** Who last wrote to a direct session, as channel and sender; undefined when the entry does not say. */
function senderOf({ entry }: StoredEntry): string | undefined {
  const origin = isJsonObject(entry['origin']) ? entry['origin'] : {};
  const { from, provider, chatType } = origin;
  return typeof from === 'string' && from !== '' && chatType === 'direct' ? `${String(provider ?? '')}:${from}` : undefined;
}

/** Direct messages of several people in one context: everyone can read everyone (decision on that risk). */
function sharedDirectWarning(context: CliContext, senders: ReadonlySet<string>): string[] {
  if (context.config.session.dmScope !== 'main' || senders.size < 2) return [];
  return [`session.dmScope is "main" and ${senders.size} senders have written: they share one conversation and can read each other's messages. Set session.dmScope to "per-channel-peer".`];
}

export async function readStatus(context: CliContext, { nowMs, all, usage }: StatusOptions): Promise<StatusReading> {
  const { stores } = selectStores({ allAgents: true }, context);
  const { defaultAgentId } = configuredAgents(context.config);
  const byAgent: AgentStatus[] = [];
  const warnings: string[] = [];
  const senders = new Set<string>();
  for (const { agentId, path } of stores) {
    try {
      const page = await openOfflineStore({ agentId, path }).newest({ activeSinceMs: null, limit: null, countMessages: false });
      if (page.warning !== undefined) warnings.push(page.warning);
      for (const found of page.entries) {
        const sender = senderOf(found);
        if (sender !== undefined) senders.add(sender);
      }
      const shown = all ? page.entries : page.entries.slice(0, RECENT_MAX);
      byAgent.push({
        agentId,
        path,
        count: page.totalCount,
        recent: shown.map((found) => toRow(found, { config: context.config, agentId, nowMs })),
        ...(usage && { usage: { inputTokens: sum(page.entries, 'inputTokens'), outputTokens: sum(page.entries, 'outputTokens'), estimatedCostUsd: sum(page.entries, 'estimatedCostUsd') } }),
      });
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      warnings.push(error.message);
      byAgent.push({ agentId, path, count: null, recent: [] });
    }
  }
  const newest = byAgent.flatMap(({ recent }) => recent).sort((one, other) => (other.updatedAt ?? 0) - (one.updatedAt ?? 0));
  const model = modelFor(context.config, defaultAgentId);
  return {
    sessions: {
      paths: stores.map(({ path }) => path),
      count: byAgent.reduce((total, { count }) => total + (count ?? 0), 0),
      defaults: {
        model: model === undefined ? null : [model.provider, model.model].filter((part) => part !== undefined).join('/'),
        contextTokens: contextTokensFor(context.config, defaultAgentId),
      },
      recent: all ? newest : newest.slice(0, RECENT_MAX),
      byAgent,
    },
    warnings: [...warnings, ...sharedDirectWarning(context, senders)],
  };
}

/** A run's usage added to the ledger, also when its session is gone by then: what was spent was spent. */
import { SessionError, type JsonValue } from '@sessions/domain';
import type { TokenUsage } from '@sessions/contracts';
import type { MutationView } from '@sessions/store';
import { planUsage, type PriceOf } from './plan-usage';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { findSession } from './session-of-key';

export interface RecordUsageOf {
  readonly agentId: string;
  readonly key: string;
  readonly runId: string;
  readonly usage: TokenUsage;
  readonly priceOf: PriceOf;
}

export type RecordUsageAnswer = StoredAnswer<'RecordUsage', { readonly key: string }>;

/** @throws VALIDATION; IDEMPOTENCY_MISMATCH when the run has reported other numbers for the model before */
export function decideRecordUsage({ agentId, key, runId, usage, priceOf }: RecordUsageOf, view: MutationView): Planned<RecordUsageAnswer> {
  const present = findSession(view, key);
  const storedKey = present?.key ?? key;
  refuseOtherNumbers(runId, usage, view);
  const { effects, set, clear } = planUsage({ key: storedKey, sessionId: present?.sessionId ?? '', runId, usage: [usage], members: present?.members }, view, priceOf);
  const result: RecordUsageAnswer = { method: 'RecordUsage', key: storedKey };
  const put: { set: Record<string, JsonValue>; clear: readonly string[] } = { set, clear };
  if (present === undefined || (Object.keys(set).length === 0 && clear.length === 0)) return { decision: { effects, result }, announcements: [] };
  const row = rowOf(agentId, present.key, membersAfter(present.members, put));
  return {
    decision: { effects: [...effects, { kind: 'putEntry', key: present.key, ...put }], result },
    announcements: [{ kind: 'changed', key: present.key, sessionId: present.sessionId ?? undefined, reason: 'patch', row }],
  };
}

function refuseOtherNumbers(runId: string, usage: TokenUsage, view: MutationView): void {
  const before = view.usageOfRun(runId).find(({ provider, model }) => provider === (usage.modelProvider ?? null) && model === (usage.model ?? null));
  if (before === undefined) return;
  const isSame = before.input === usage.inputTokens && before.output === usage.outputTokens && before.cacheRead === usage.cacheReadTokens && before.cacheWrite === usage.cacheWriteTokens;
  if (!isSame) throw new SessionError('IDEMPOTENCY_MISMATCH', 'the run has reported other numbers for this model before; a run reports once, at its end');
}

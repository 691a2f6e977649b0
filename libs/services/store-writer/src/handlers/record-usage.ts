/** RecordUsage: what one run used of one model, added to the usage ledger once. */
import { RecordUsageResponse, type RecordUsageRequest } from '@sessions/contracts';
import { SessionError, normaliseSessionKey, storedSpellings } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { decideRecordUsage, type RecordUsageAnswer } from '../decisions/decide-record-usage';
import type { OwnedAgent } from '../owned-agent';
import { toTokenUsage } from './read-usage';
import { requestHash } from './request-hash';

const RUN_ID_CHARS_MAX = 256;
const KEY_CHARS_MAX = 1024;

/** @throws VALIDATION, IDEMPOTENCY_MISMATCH */
export async function recordUsage(agent: OwnedAgent, request: RecordUsageRequest, context: CallContext): Promise<RecordUsageResponse> {
  const { runId, usage } = request;
  if (usage === undefined) throw new SessionError('VALIDATION', 'usage is required');
  if (runId === '' || runId.length > RUN_ID_CHARS_MAX) throw new SessionError('VALIDATION', `run_id must have 1 to ${String(RUN_ID_CHARS_MAX)} characters`);
  if (request.key === '' || request.key.length > KEY_CHARS_MAX) throw new SessionError('VALIDATION', `key must have 1 to ${String(KEY_CHARS_MAX)} characters`);
  const key = normaliseSessionKey(request.key);
  const asked = { agentId: agent.agentId, key, runId, usage, priceOf: agent.priceOf };
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, costUsd, modelProvider, model } = usage;
  const contentHash = requestHash('RecordUsage', [key, runId, inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, costUsd ?? null, modelProvider ?? null, model ?? null]);
  return agent.mutate<RecordUsageAnswer, RecordUsageResponse>(
    { method: 'RecordUsage', context, contentHash, plan: (view) => decideRecordUsage(asked, view) },
    async ({ result, epoch, seq }, store) => {
      const { totals } = await store.usage({ view: 'sums', keys: storedSpellings(result.key), limit: 1 });
      return RecordUsageResponse.create({ epoch, storeSeq: seq, totals: toTokenUsage(totals) });
    },
  );
}

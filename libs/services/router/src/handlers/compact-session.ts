/**
 * CompactSession: the transcript cut to its last lines by its owner, or summarised by a worker and
 * installed by the owner. What was asked for is in the store's journal before a worker hears of it.
 */
import { CompactRequest, CompactSessionResponse, CompactionResult, RequestCompactionRequest, TruncateTranscriptRequest } from '@sessions/contracts';
import type { CompactSessionRequest } from '@sessions/contracts';
import { SessionError, agentSettings, asAgentId } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { existingSession } from './existing-session';
import { assertKnownAgent, assertOneAgent } from './known-agent';
import { ENDING_RUN_BUDGET_MS } from './reset-session';

/** What a compaction may take beyond its own time limit. */
const COMPACT_GRACE_MS = 10_000;

/** @throws SESSION_NOT_FOUND, VALIDATION, AGENT_UNKNOWN, AGENT_REQUIRED for `global` without an agent */
export async function compactSession(deps: HandlerDeps, request: CompactSessionRequest, context: CallContext): Promise<CompactSessionResponse> {
  const { maxLines } = request;
  if (maxLines !== undefined && !(Number.isSafeInteger(maxLines) && maxLines >= 1)) throw new SessionError('VALIDATION', 'maxLines must be at least 1');
  await assertKnownAgent(deps, request.agentId, context);
  assertOneAgent(request);
  const { agentId, key } = await existingSession(deps, request, context);
  const result = maxLines === undefined ? await summarise(deps, { agentId, key }, request.instructions, context) : await truncate(deps, { agentId, key, maxLines }, context);
  return CompactSessionResponse.create({ key, result });
}

async function truncate(deps: HandlerDeps, what: { agentId: string; key: string; maxLines: number }, context: CallContext): Promise<CompactionResult | undefined> {
  return (await deps.stores.mutate('truncateTranscript', TruncateTranscriptRequest.create(what), context, { budgetMs: ENDING_RUN_BUDGET_MS })).result;
}

async function summarise(
  deps: HandlerDeps,
  { agentId, key }: { agentId: string; key: string },
  instructions: string | undefined,
  context: CallContext,
): Promise<CompactionResult | undefined> {
  const asked = await deps.stores.mutate('requestCompaction', RequestCompactionRequest.create({ agentId, key, instructions, reason: 'manual' }), context);
  const { operationId } = asked;
  if (asked.result !== undefined || operationId === undefined) return asked.result;
  try {
    return (await deps.workers.compact(CompactRequest.create({ agentId, operationId }), context, compactionTimeMs(deps, agentId))).result;
  } catch (error) {
    // It is recorded and will be done; only the answer is late.
    if (error instanceof SessionError && (error.reason === 'NO_OWNER' || error.reason === 'DEADLINE')) {
      return CompactionResult.create({ ok: true, compacted: false, pending: true, operationId });
    }
    throw error;
  }
}

/** Time that a caller of CompactSession has to grant, milliseconds. */
export function compactionTimeMs(deps: Pick<HandlerDeps, 'config'>, agentId: string): number {
  return agentSettings(deps.config(), asAgentId(agentId)).compaction.timeoutSeconds * 1000 + COMPACT_GRACE_MS;
}

/**
 * A compaction that a turn cannot go on without: asked for at the owner, waited for at the worker.
 * Whoever does the work and whatever becomes of this runner, it ends once. A turn that has waited its
 * time goes on without it; the compaction goes on too.
 */
import { randomUUID } from 'node:crypto';
import { CompactRequest, CompactionResult, CompactionServiceService, RequestCompactionRequest } from '@sessions/contracts';
import { createClient } from '@sessions/bus';
import { SessionError, agentSettings, asAgentId, compactionWaitSeconds } from '@sessions/domain';
import { persist } from '../persist';
import type { TurnDeps } from './turn-deps';

const MS_PER_SECOND = 1_000;

export type InlineCompaction = Pick<TurnDeps, 'bus' | 'subjects' | 'owner' | 'config' | 'logger' | 'caller'>;

/** @returns true when the context is smaller by now */
export async function compactInline(deps: InlineCompaction, agentId: string, key: string, signal: AbortSignal): Promise<boolean> {
  const { bus, subjects, owner, config, logger, caller } = deps;
  const beganAtMs = bus.clock.nowMs();
  logger.info('auto-compaction start', { agentId });
  const result = await compact().catch((error: unknown) => {
    if (!(error instanceof SessionError)) throw error;
    return CompactionResult.create({ ok: false, reason: error.reason });
  });
  logger.info('auto-compaction complete', { agentId, durationMs: bus.clock.nowMs() - beganAtMs, reason: result.compacted ? 'compacted' : 'nothing was compacted' });
  return result.compacted;

  async function compact(): Promise<CompactionResult> {
    const requestKey = randomUUID();
    const asked = await owner(agentId, (store) => store.requestCompaction(RequestCompactionRequest.create({ agentId, key, reason: 'overflow-retry' }), { idempotencyKey: requestKey, signal }), { signal });
    if (asked.operationId === undefined) return asked.result ?? CompactionResult.create({});
    const limitMs = compactionWaitSeconds(agentSettings(config(), asAgentId(agentId)).compaction.timeoutSeconds) * MS_PER_SECOND;
    const worker = createClient(bus, CompactionServiceService, { caller, subject: (method) => subjects.compaction(method) });
    const request = CompactRequest.create({ agentId, operationId: asked.operationId });
    const compactKey = randomUUID();
    const deadlineAtMs = bus.clock.nowMs() + limitMs;
    const answer = await persist(() => worker.compact(request, { idempotencyKey: compactKey, signal, timeoutMs: Math.max(1, deadlineAtMs - bus.clock.nowMs()) }), { clock: bus.clock, deadlineAtMs, signal });
    return answer.result ?? CompactionResult.create({});
  }
}

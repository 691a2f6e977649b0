/** FinishTurn: how a turn ended. Once; whoever comes later is told how it ended first. */
import { FinishTurnResponse, type FinishTurnRequest } from '@sessions/contracts';
import { SessionError, TEXT_BYTES_MAX, type RunOutcome } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { MutationView } from '@sessions/store';
import { decideFinish, readSettledFields, type EndRunAnswer } from '../decisions/decide-end-run';
import { activeRun, runsOf } from '../decisions/open-run';
import { pricedUsage, withUsage } from '../decisions/plan-usage';
import { readSession } from '../decisions/session-of-key';
import { readEndedRun, runEndKey, type RunEnding } from '../decisions/run-end';
import type { OpenAgentStore, OwnedAgent } from '../owned-agent';
import { answeredEntry } from './entry-json';
import { requestHash } from './request-hash';
import { endOccasion, isReason, keyOfOpenRun } from './run-occasion';
import { sessionEntry } from './stored-session';
import { askCompactionWhenDue } from './ask-compaction';
import { lastToolResult } from './last-tool-result';

const OUTCOMES: ReadonlySet<string> = new Set<RunOutcome>(['ok', 'error', 'timeout', 'aborted']);
/** Deliveries that one turn asks for itself. */
const DELIVERIES_MAX = 20;

/** @throws VALIDATION, TOO_LARGE, RUN_NOT_FOUND; STALE_PLAN when another attempt holds the run */
export async function finishTurn(agent: OwnedAgent, request: FinishTurnRequest, context: CallContext): Promise<FinishTurnResponse> {
  const { runId, attempt, outcome, text, stopReason, errorMessage, deliveries } = request;
  if (!OUTCOMES.has(outcome)) throw new SessionError('VALIDATION', `outcome must be one of ${[...OUTCOMES].join(', ')}`);
  if (deliveries.length > DELIVERIES_MAX) throw new SessionError('VALIDATION', `a turn has at most ${String(DELIVERIES_MAX)} deliveries`);
  if (text !== undefined && Buffer.byteLength(text) > TEXT_BYTES_MAX) throw new SessionError('TOO_LARGE', `the answer is longer than ${String(TEXT_BYTES_MAX)} bytes`, { facts: { bytesMax: TEXT_BYTES_MAX } });
  // Priced here: what follows the run counts with what it cost.
  const usage = pricedUsage(request.usage, agent.priceOf);
  const fields = readSettledFields(request.fields);
  const contentHash = requestHash('FinishTurn', [runId, outcome, text ?? '', attempt]);
  return agent.use(async (open) => {
    try {
      const key = await keyOfOpenRun(open, runId);
      const lastToolResultText = outcome === 'ok' && (text ?? '').trim() === '' ? await lastToolResult(open.store, key) : undefined;
      const ending: RunEnding = { outcome: outcome as RunOutcome, text, stopReason, errorMessage, usage, deliveries, lastToolResultText };
      const asked = { ...endOccasion(agent), key, runId, attempt, ending, fields };
      return await agent.mutateSpooled<EndRunAnswer, FinishTurnResponse>(
        (spool) => ({ method: 'EndRun', context, contentHash, plan: (view) => withUsage(decideFinish(asked, view, spool), { key, sessionId: sessionIdOf(view, key), runId, usage: request.usage }, view, agent.priceOf) }),
        async () => {
          if (outcome === 'ok') await askCompactionWhenDue(agent, open, key);
          return answer(open, runId);
        },
      );
    } catch (error) {
      if (isReason(error, 'RUN_NOT_FOUND') && (await open.store.storedResult(runEndKey(runId))) !== undefined) return answer(open, runId);
      throw error;
    }
  });
}

function sessionIdOf(view: Pick<MutationView, 'entry'>, key: string): string {
  const snapshot = view.entry(key);
  return (snapshot === undefined ? null : readSession(snapshot).sessionId) ?? '';
}

async function answer({ store, seq }: OpenAgentStore, runId: string): Promise<FinishTurnResponse> {
  const ended = readEndedRun(await store.storedResult(runEndKey(runId)));
  const entry = ended === undefined ? undefined : await sessionEntry(store, { key: ended.sessionKey });
  const next = entry === undefined ? undefined : activeRun(runsOf(JSON.parse(entry.text) as never));
  return FinishTurnResponse.create({
    epoch: store.epoch,
    storeSeq: seq,
    entryJson: entry === undefined ? Buffer.alloc(0) : answeredEntry(entry.text),
    encodedRow: entry === undefined ? undefined : Buffer.from(entry.encodedRow),
    deliveryIds: [...(ended?.deliveryIds ?? [])],
    nextRunId: next?.runId,
  });
}

/** AbortRun and KillSession: the end of what runs. Nothing to end is no error. */
import { AbortRunResponse, CancelRunRequest, KillSessionResponse } from '@sessions/contracts';
import type { AbortRunRequest, CancelRunResponse, KillSessionRequest } from '@sessions/contracts';
import { SessionError, asAgentId } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { existingSession } from './existing-session';
import { findRun } from './find-run';
import { ENDING_RUN_BUDGET_MS } from './reset-session';
import { kill, ownChildren } from './sub-agents';
import { addressOfKey, resolveAddress } from './resolve-address';
import type { Address } from './resolve-address';

/** How long a kill waits for the end, milliseconds. */
const KILL_WAIT_MS = 5_000;

/** @throws VALIDATION without key and run id */
export async function abortRun(deps: HandlerDeps, request: AbortRunRequest, context: CallContext): Promise<AbortRunResponse> {
  const { key, runId } = request;
  if (key === undefined && runId === undefined) throw new SessionError('VALIDATION', 'key required');
  const what = await whatToCancel(deps, request, context);
  if (what === undefined) return AbortRunResponse.create({ status: 'no-active-run' });
  const ended = await cancel(deps, what, { reason: 'abort' }, context);
  const abortedRunId = ended.activeRunId ?? (runId !== undefined && ended.cancelledRunIds.includes(runId) ? runId : undefined);
  return AbortRunResponse.create({
    abortedRunId,
    status: abortedRunId === undefined ? 'no-active-run' : 'aborted',
    cancelledRunIds: ended.cancelledRunIds.filter((cancelled) => cancelled !== abortedRunId),
  });
}

/** Also what the session has spawned, and so on. @throws SESSION_NOT_FOUND for a key without a row */
export async function killSession(deps: HandlerDeps, request: KillSessionRequest, context: CallContext): Promise<KillSessionResponse> {
  const session = await existingSession(deps, request, context, (_asked, written) => `Session not found: ${written}`);
  const { runIds, children } = await stopAll(deps, session, 'kill', context);
  return KillSessionResponse.create({ killed: runIds.length > 0 || children.length > 0, killedRunIds: [...runIds] });
}

export interface Stopped {
  /** Of the session: the active one first. */
  readonly runIds: readonly string[];
  /** Keys of the sub-agents that ran or waited, of whatever agent. */
  readonly children: readonly string[];
}

/** Ends every run of a session, then those of all it has spawned: stopped first, it spawns no more. */
export async function stopAll(deps: HandlerDeps, { agentId, key }: Address, reason: 'kill' | 'stop', context: CallContext): Promise<Stopped> {
  if (!(await deps.agents.hasStore(agentId, context))) return { runIds: [], children: [] };
  const ended = await cancel(deps, { agentId, by: { $case: 'key', value: key } }, { reason, cascade: true, ...(reason === 'kill' && { waitMs: KILL_WAIT_MS }) }, context);
  const { activeRunId } = ended;
  // The owner has ended those that are in its own store; those of other agents are found from here.
  const elsewhere = await kill({ deps, context }, await ownChildren({ deps, context, caller: { agentId: asAgentId(agentId), key } }));
  return {
    runIds: [...(activeRunId === undefined ? [] : [activeRunId]), ...ended.cancelledRunIds.filter((runId) => runId !== activeRunId)],
    children: [...new Set([...ended.stoppedChildren, ...elsewhere])],
  };
}

interface Cancelled {
  readonly agentId: string;
  readonly by: NonNullable<CancelRunRequest['by']>;
}

/** A run id wins over the key beside it: a run is aborted whichever session it is of. Of several runs with the id the key's agent has the first claim. */
async function whatToCancel(deps: HandlerDeps, { key, runId, agentId }: AbortRunRequest, context: CallContext): Promise<Cancelled | undefined> {
  if (runId !== undefined) {
    const found = await findRun(deps, { runId, agentId, nearAgentId: key === undefined ? undefined : agentOfKey(deps, key, context) }, context);
    return found === undefined ? undefined : { agentId: found.agentId, by: { $case: 'runId', value: runId } };
  }
  const address = await resolveAddress(deps, { key, agentId }, context).catch((error: unknown) => {
    if (error instanceof SessionError && error.reason === 'SESSION_NOT_FOUND') return undefined;
    throw error;
  });
  if (address === undefined || !(await deps.agents.hasStore(address.agentId, context))) return undefined;
  return { agentId: address.agentId, by: { $case: 'key', value: address.key } };
}

/** Undefined: the key names no agent that could be asked first. */
function agentOfKey(deps: HandlerDeps, key: string, context: CallContext): string | undefined {
  try {
    return addressOfKey(deps, { key }, context).agentId;
  } catch {
    return undefined;
  }
}

function cancel(deps: HandlerDeps, what: Cancelled, how: { reason: string; cascade?: boolean; waitMs?: number }, context: CallContext): Promise<CancelRunResponse> {
  return deps.stores.mutate('cancelRun', CancelRunRequest.create({ ...what, ...how }), context, { budgetMs: ENDING_RUN_BUDGET_MS });
}

/** Sub-agents of a session, for tools and doors alike: which there are, which work, and how they are stopped with all they spawned. */
import { CancelRunRequest } from '@sessions/contracts';
import type { SessionRow } from '@sessions/contracts';
import { STALE_RUN_MS } from '@sessions/domain';
import type { AgentId } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { agentsOfChildren, childrenOf } from '../auth/sight';
import type { HandlerDeps } from '../deps';
import { ENDING_RUN_BUDGET_MS } from './reset-session';

/** How long a kill waits for each end, milliseconds. */
const KILL_WAIT_MS = 5_000;
/** Sub-agents that one kill reaches. */
const KILLED_MAX = 1_000;

interface CallOf {
  readonly deps: HandlerDeps;
  readonly context: CallContext;
}

/** Newest first, so that an index of the list names the same one in the next call unless one was added. */
export async function ownChildren({ deps, caller, context }: CallOf & { readonly caller: { readonly agentId: AgentId; readonly key: string } }): Promise<readonly SessionRow[]> {
  const rows = await childrenOf(deps, await agentsOfChildren(deps, caller.agentId, context), caller, context);
  return [...rows].sort((a, b) => (b.startedAtMs ?? b.updatedAtMs ?? 0) - (a.startedAtMs ?? a.updatedAtMs ?? 0) || (a.key < b.key ? -1 : 1));
}

/** Works, or waits for its turn; what has not ended for hours counts no more. */
export function isActive(row: SessionRow, nowMs: number): boolean {
  if (row.hasActiveRun !== undefined) return row.hasActiveRun;
  const isOpen = row.status === 'running' || (row.status === undefined && row.endedAtMs === undefined);
  return isOpen && nowMs - (row.startedAtMs ?? row.updatedAtMs ?? 0) < STALE_RUN_MS;
}

/** The sub-agent first, so that it spawns no more while those that it spawned are stopped. */
export async function kill({ deps, context }: CallOf, rows: readonly SessionRow[]): Promise<readonly string[]> {
  const killed: string[] = [];
  const seen = new Set<string>();
  for (const waiting = [...rows]; waiting.length > 0 && seen.size < KILLED_MAX; ) {
    const row = waiting.shift();
    if (row === undefined || seen.has(row.key)) continue;
    seen.add(row.key);
    const { agentId, key } = row;
    const request = CancelRunRequest.create({ agentId, by: { $case: 'key', value: key }, reason: 'kill', cascade: true, waitMs: KILL_WAIT_MS });
    const { state, stoppedChildren } = await deps.stores.mutate('cancelRun', request, context, { part: `kill.${key}`, budgetMs: ENDING_RUN_BUDGET_MS });
    if (state !== 'idle') killed.push(key);
    killed.push(...stoppedChildren.filter((child) => !killed.includes(child)));
    waiting.push(...(await childrenOf(deps, await agentsOfChildren(deps, agentId as AgentId, context), row, context)));
  }
  return killed;
}

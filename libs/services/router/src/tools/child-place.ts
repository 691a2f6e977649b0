/** The place of a sub-agent among those that a session may have, taken at the owner of that session. */
import { ClaimChildRequest, ReleaseChildRequest } from '@sessions/contracts';
import type { SessionRow } from '@sessions/contracts';
import { agentSettings } from '@sessions/domain';
import { isActive } from '../handlers/sub-agents';
import type { ToolCall } from './tool-call';

/**
 * @param children rows of the session's sub-agents, read in this call
 * @throws SPAWN_DENIED when all places are taken, by rows or by spawns that are under way
 */
export async function claimChild({ deps, caller, context }: ToolCall, childKey: string, children: readonly SessionRow[]): Promise<void> {
  const nowMs = deps.clock.nowMs();
  const keysOf = (active: boolean): string[] => children.filter((row) => isActive(row, nowMs) === active).map(({ key }) => key);
  const { maxChildrenPerAgent: childrenMax } = agentSettings(deps.config(), caller.agentId).subagents;
  await deps.stores.mutate('claimChild', ClaimChildRequest.create({ agentId: caller.agentId, key: caller.key, childKey, childrenMax, activeKeys: keysOf(true), endedKeys: keysOf(false) }), context, { part: 'place' });
}

/** For a sub-agent that is known not to have been made. A failure leaves the place taken until it ends by itself. */
export async function releaseChild({ deps, caller, context }: ToolCall, childKey: string): Promise<void> {
  await deps.stores
    .mutate('releaseChild', ReleaseChildRequest.create({ agentId: caller.agentId, key: caller.key, childKey }), context, { part: 'place.release' })
    .catch(() => deps.logger.warn('the place of a sub-agent that was not made could not be given back', { agentId: caller.agentId }));
}

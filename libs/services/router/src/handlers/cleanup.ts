/** Cleanup: passed to the maintenance service, which plans; the owners of the stores act. */
import { CleanupFlags, CleanupResponse, MaintenanceServiceCleanupRequest } from '@sessions/contracts';
import type { CleanupRequest } from '@sessions/contracts';
import { SessionError, slugAgentId } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { defaultAgentFor } from '../auth/default-agent';
import { assertSeesAgent, isRestricted } from '../auth/scopes';
import type { HandlerDeps } from '../deps';

/** A clean-up reads whole stores. */
export const CLEANUP_BUDGET_MS = 120_000;
const AGENTS_MAX = 1000;

/** @throws VALIDATION, AGENT_UNKNOWN, NO_OWNER without a maintenance service */
export async function cleanup(deps: HandlerDeps, request: CleanupRequest, context: CallContext): Promise<CleanupResponse> {
  const flags = request.flags ?? CleanupFlags.create({});
  if (flags.agentIds.length > AGENTS_MAX) throw new SessionError('VALIDATION', `a clean-up names at most ${AGENTS_MAX} agents`);
  // Whoever names a key wants it spared, as with the command.
  if (flags.activeKey?.trim() === '') throw new SessionError('VALIDATION', 'activeKey must name a session key; it is empty');
  for (const given of flags.agentIds) await assertAgent(deps, given, context);
  const agentIds = await agentsOf(deps, flags, context);
  for (const agentId of agentIds) assertSeesAgent(context.scopes, agentId);
  const asked = MaintenanceServiceCleanupRequest.create({ flags: { ...flags, agentIds, allAgents: flags.allAgents && agentIds.length === 0 }, dryRun: request.dryRun });
  const { reports } = await deps.workers.cleanup(asked, context, CLEANUP_BUDGET_MS);
  return CleanupResponse.create({ reports });
}

/** Empty: all, whoever they are. */
async function agentsOf(deps: HandlerDeps, { allAgents, agentIds }: CleanupFlags, context: CallContext): Promise<string[]> {
  if (allAgents) return isRestricted(context.scopes) ? (await deps.agents.list(context)).map(({ agentId }) => agentId) : [];
  return agentIds.length > 0 ? agentIds.map((agentId) => slugAgentId(agentId)) : [defaultAgentFor(deps.config(), context)];
}

async function assertAgent(deps: HandlerDeps, given: string, context: CallContext): Promise<void> {
  const agentId = slugAgentId(given);
  if ((await deps.agents.find(agentId, context)) !== undefined || (await deps.agents.hasStore(agentId, context))) return;
  throw new SessionError('AGENT_UNKNOWN', `Unknown agent id "${given.slice(0, 64)}". Use "openclaw agents list" to see configured agents.`);
}

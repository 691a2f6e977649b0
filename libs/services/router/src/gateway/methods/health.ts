import { ListSessionsRequest } from '@sessions/contracts';
import { configuredAgents } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { readRowHead } from '../../handlers/row-order';
import { holdsScope, isRestricted, SCOPE } from '../../auth/scopes';
import type { GatewayDeps, GatewayMethod } from '../method';

/** Newest sessions that a health answer names. */
const RECENT_MAX = 5;

/** What `health`, the health event and the snapshot of a new connection say. */
export async function healthPayload(deps: GatewayDeps, context: CallContext): Promise<Record<string, unknown>> {
  const beganAtMs = deps.clock.monotonicMs();
  const { defaultAgentId } = configuredAgents(deps.config());
  const { agents } = await deps.handlers.listAgents({}, context);
  const list = await deps.handlers.listSessions(ListSessionsRequest.create({ allAgents: true, discover: true, limit: RECENT_MAX }), context);
  const nowMs = deps.clock.nowMs();
  const recent = list.encodedRows.map((row) => {
    const { key, updatedAtMs } = readRowHead(row);
    return { key, updatedAt: updatedAtMs ?? null, age: updatedAtMs === undefined ? null : Math.max(0, nowMs - updatedAtMs) };
  });
  return {
    ok: true,
    ts: nowMs,
    durationMs: Math.round(deps.clock.monotonicMs() - beganAtMs),
    defaultAgentId,
    agents: agents.map(({ agentId, isDefault }) => ({ agentId, isDefault })),
    sessions: { path: list.path ?? '(multiple)', count: list.totalCount, recent },
  };
}

export const health: GatewayMethod = async (deps, { context }) => ({ payload: await healthPayload(deps, context) });

/** `status`: version, age of the process and the sessions there are. */
export const status: GatewayMethod = async (deps, { context, connection }) => {
  const { sessions, agents, defaultAgentId } = await healthPayload(deps, context);
  return {
    payload: {
      version: deps.version,
      uptimeMs: deps.uptimeMs(),
      defaultAgentId,
      agents,
      sessions: { ...(sessions as object), defaults: deps.rows.defaults() },
      ...(holdsScope(connection.scopes, SCOPE.admin) && !isRestricted(connection.scopes) && { stateDir: deps.stateDir, configPath: deps.configPath }),
    },
  };
};

import { ListSessionsRequest } from '@sessions/contracts';
import { asAgentId, parseSessionKey, storePathFor } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { readRowHead } from '../../handlers/row-order';
import { defaultAgentFor } from '../../auth/default-agent';
import { shownPath } from '../../auth/shown-path';
import { eventLoopOf } from './event-loop';
import type { GatewayDeps, GatewayMethod } from '../method';

/** What is told of an agent's heartbeat: there is none here. */
export const NO_HEARTBEAT = { enabled: false, every: 'disabled', everyMs: null } as const;
/** Newest sessions that a health answer names. */
const RECENT_MAX = 5;

/** What `health`, the health event and the snapshot of a new connection say. */
export async function healthPayload(deps: GatewayDeps, context: CallContext): Promise<Record<string, unknown>> {
  const beganAtMs = deps.clock.monotonicMs();
  const defaultAgentId = defaultAgentFor(deps.config(), context);
  const { agents } = await deps.handlers.listAgents({}, context);
  const list = await deps.handlers.listSessions(ListSessionsRequest.create({ allAgents: true, discover: true, limit: RECENT_MAX }), context);
  const nowMs = deps.clock.nowMs();
  const recent = list.encodedRows.map((row) => {
    const { key, updatedAtMs } = readRowHead(row);
    return { key, updatedAt: updatedAtMs ?? null, age: updatedAtMs === undefined ? null : Math.max(0, nowMs - updatedAtMs) };
  });
  const storeOf = (agentId: string): Record<string, unknown> => {
    const store = list.stores.find((each) => each.agentId === agentId);
    const own = recent.filter(({ key }) => (parseSessionKey(key).agentId ?? defaultAgentId) === agentId);
    const path = store?.path ?? shownPath(storePathFor(deps.config(), asAgentId(agentId), { stateDir: deps.stateDir, homeDir: deps.homeDir }), context.scopes, deps.stateDir);
    return { path, count: store?.totalCount ?? 0, recent: own };
  };
  return {
    ok: true,
    ts: nowMs,
    durationMs: Math.round(deps.clock.monotonicMs() - beganAtMs),
    defaultAgentId,
    eventLoop: eventLoopOf(deps.eventLoop()),
    // Of an agent those of its sessions that are among the newest of all.
    agents: agents.map(({ agentId, name }) => ({ agentId, ...(name !== undefined && { name }), isDefault: agentId === defaultAgentId, heartbeat: NO_HEARTBEAT, sessions: storeOf(agentId) })),
    // Channels, heartbeats and plug-ins are no part of this gateway.
    channels: {},
    channelOrder: [],
    channelLabels: {},
    heartbeatSeconds: 0,
    sessions: { path: list.path ?? '(multiple)', count: list.totalCount, recent },
  };
}

export const health: GatewayMethod = async (deps, { context }) => ({ payload: await healthPayload(deps, context) });

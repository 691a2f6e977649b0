/** `status`: version, age of the process, and the newest sessions of all agents with what fills their windows. */
import { ListSessionsRequest, SessionRow } from '@sessions/contracts';
import { asAgentId, modelFor, parseModelRef, storePathFor, toCliRow } from '@sessions/domain';
import { defaultAgentFor } from '../../auth/default-agent';
import { holdsScope, isRestricted, SCOPE } from '../../auth/scopes';
import { shownPath } from '../../auth/shown-path';
import { eventLoopOf } from './event-loop';
import { NO_HEARTBEAT } from './health';
import type { GatewayDeps, GatewayMethod } from '../method';

/** Newest sessions that a status answer names. */
const RECENT_MAX = 10;
/** Tasks in the background and their audit: none is kept here (`absent-parts.ts`). */
const NO_TASKS = {
  total: 0, active: 0, terminal: 0, failures: 0,
  byStatus: { queued: 0, running: 0, succeeded: 0, failed: 0, timed_out: 0, cancelled: 0, lost: 0 },
  byRuntime: { subagent: 0, acp: 0, cli: 0, cron: 0 },
};
const NO_TASK_AUDIT = {
  total: 0, warnings: 0, errors: 0,
  byCode: { stale_queued: 0, stale_running: 0, lost: 0, delivery_failed: 0, missing_cleanup: 0, inconsistent_timestamps: 0 },
};

export const status: GatewayMethod = async (deps, { context, connection }) => {
  const config = deps.config();
  const defaultAgentId = defaultAgentFor(config, context);
  const { agents } = await deps.handlers.listAgents({}, context);
  const list = await deps.handlers.listSessions(ListSessionsRequest.create({ allAgents: true, discover: true, limit: RECENT_MAX }), context);
  const nowMs = deps.clock.nowMs();
  const recent = list.encodedRows.map((encoded) => toStatusRow(deps, SessionRow.decode(encoded), nowMs));
  const byAgent = agents.map(({ agentId }) => {
    const store = list.stores.find((each) => each.agentId === agentId);
    const path = store?.path ?? shownPath(storePathFor(config, asAgentId(agentId), { stateDir: deps.stateDir, homeDir: deps.homeDir }), context.scopes, deps.stateDir);
    // Of an agent those of its sessions that are among the newest of all.
    return { agentId, path, count: store?.totalCount ?? 0, recent: recent.filter((row) => row.agentId === agentId) };
  });
  return {
    payload: {
      runtimeVersion: deps.version,
      version: deps.version,
      uptimeMs: deps.uptimeMs(),
      eventLoop: eventLoopOf(deps.eventLoop()),
      defaultAgentId,
      heartbeat: { defaultAgentId, agents: agents.map(({ agentId }) => ({ agentId, ...NO_HEARTBEAT })) },
      channelSummary: [],
      queuedSystemEvents: [],
      tasks: NO_TASKS,
      taskAudit: NO_TASK_AUDIT,
      agents: byAgent.map(({ agentId, path, count, recent: own }) => ({ agentId, isDefault: agentId === defaultAgentId, sessions: { path, count, recent: own } })),
      sessions: {
        path: list.path ?? '(multiple)',
        paths: [...new Set(byAgent.map(({ path }) => path))],
        count: list.totalCount,
        defaults: deps.rows.defaults(),
        recent,
        byAgent,
      },
      ...(holdsScope(connection.scopes, SCOPE.admin) && !isRestricted(connection.scopes) && { stateDir: deps.stateDir, configPath: deps.configPath }),
    },
  };
};

interface StatusRow {
  readonly agentId: string;
  readonly [name: string]: unknown;
}

/** The levels that a session was given, as `flags` and as members. */
const LEVELS = [['thinkingLevel', 'think'], ['verboseLevel', 'verbose'], ['reasoningLevel', 'reasoning'], ['elevatedLevel', 'elevated']] as const;

function toStatusRow(deps: GatewayDeps, row: SessionRow, nowMs: number): StatusRow {
  const config = deps.config();
  const { ageMs, agentId, kind, contextTokens, totalTokens, totalTokensFresh, modelProvider, model, agentRuntime } = toCliRow(row, { config, agentId: asAgentId(row.agentId), nowMs });
  const configured = modelFor(config, agentId);
  const selected = nameOf(modelProvider ?? undefined, model);
  const isOverridden = row.modelOverride !== undefined && selected !== nameOf(configured?.provider, configured?.model ?? null);
  return {
    agentId,
    key: row.key,
    kind,
    sessionId: row.sessionId,
    updatedAt: row.updatedAtMs ?? null,
    age: ageMs,
    thinkingLevel: row.thinkingLevel,
    fastMode: fastModeOf(row.fastMode),
    verboseLevel: row.verboseLevel,
    traceLevel: row.traceLevel,
    reasoningLevel: row.reasoningLevel,
    elevatedLevel: row.elevatedLevel,
    systemSent: row.systemSent,
    abortedLastRun: row.abortedLastRun,
    inputTokens: row.inputTokens,
    outputTokens: row.outputTokens,
    totalTokens,
    totalTokensFresh,
    remainingTokens: totalTokens === null ? null : Math.max(0, contextTokens - totalTokens),
    percentUsed: totalTokens === null || contextTokens === 0 ? null : Math.min(999, Math.round((totalTokens / contextTokens) * 100)),
    model: model === null ? null : parseModelRef(model).model,
    configuredModel: nameOf(configured?.provider, configured?.model ?? null),
    selectedModel: selected,
    modelSelectionReason: isOverridden ? 'session override' : null,
    runtime: agentRuntime.id,
    contextTokens,
    flags: flagsOf(row),
  };
}

function nameOf(provider: string | undefined, model: string | null): string | null {
  return provider === undefined || model === null ? model : `${provider}/${model}`;
}

function fastModeOf(stored: string | undefined): boolean | string | undefined {
  return stored === 'true' || stored === 'false' ? stored === 'true' : stored;
}

function flagsOf(row: SessionRow): readonly string[] {
  const levels = LEVELS.flatMap(([member, name]) => (row[member] === undefined || row[member] === '' ? [] : [`${name}:${row[member]}`]));
  const fast = row.fastMode === 'true' ? ['fast'] : row.fastMode === 'false' ? ['fast:off'] : row.fastMode === 'auto' ? ['fast:auto'] : [];
  const id = row.sessionId === undefined || row.sessionId === '' ? [] : [`id:${row.sessionId}`];
  return [...levels.slice(0, 2), ...fast, ...levels.slice(2), ...(row.systemSent === true ? ['system'] : []), ...(row.abortedLastRun === true ? ['aborted'] : []), ...id];
}

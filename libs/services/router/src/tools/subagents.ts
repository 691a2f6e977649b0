/** `subagents`: the sub-agents of the calling session: listed, steered, or killed with all they spawned. */
import { CancelRunRequest, RunRequest } from '@sessions/contracts';
import type { SessionRow } from '@sessions/contracts';
import { SessionError, STALE_RUN_MS, interSessionText, modelOf, parseSubagentsArguments, tokensOf } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { agentsOfChildren, childrenOf } from '../auth/sight';
import { deliverTo } from '../handlers/deliver-to';
import { uuidOfCall } from '../handlers/minted-id';
import { ENDING_RUN_BUDGET_MS } from '../handlers/reset-session';
import { nextInterSession } from './chain';
import { spawnClaim } from './spawn-claim';
import { argumentsOf, failed } from './tool-call';
import type { ToolAnswer, ToolCall } from './tool-call';

const MINUTE_MS = 60_000;
/** How long a kill waits for each end, milliseconds. */
const KILL_WAIT_MS = 5_000;
/** Sub-agents that one kill reaches. */
const KILLED_MAX = 1_000;

export async function subagents(call: ToolCall, raw: unknown): Promise<ToolAnswer> {
  const asked = argumentsOf(parseSubagentsArguments(raw));
  const children = await ownChildren(call);
  if (asked.action === 'list') return { details: listed(children, call.deps.clock.nowMs(), asked.recentMinutes) };
  const all = asked.action === 'kill' && asked.target.toLowerCase() === 'all';
  const chosen = all ? children : children.filter((row, place) => isTarget(row, place, asked.target));
  if (!all && chosen.length !== 1) return failed(chosen.length === 0 ? `No sub-agent found: ${asked.target}` : `several sub-agents match ${asked.target}: name one by its session key`);
  if (asked.action === 'kill') return { details: { status: 'ok', killed: await kill(call, chosen) } };
  const [child] = chosen;
  return child === undefined ? failed(`No sub-agent found: ${asked.target}`) : steer(call, child, asked.message);
}

/** Newest first, so that an index of the list names the same one in the next call unless one was added. */
export async function ownChildren({ deps, caller, context }: Pick<ToolCall, 'deps' | 'context'> & { readonly caller: Pick<ToolCall['caller'], 'agentId' | 'key'> }): Promise<readonly SessionRow[]> {
  const rows = await childrenOf(deps, await agentsOfChildren(deps, caller.agentId, context), caller.key, context);
  return [...rows].sort((a, b) => (b.startedAtMs ?? b.updatedAtMs ?? 0) - (a.startedAtMs ?? a.updatedAtMs ?? 0) || (a.key < b.key ? -1 : 1));
}

/** Works, or waits for its turn; what has not ended for hours counts no more. */
export function isActive(row: SessionRow, nowMs: number): boolean {
  if (row.hasActiveRun !== undefined) return row.hasActiveRun;
  const isOpen = row.status === 'running' || (row.status === undefined && row.endedAtMs === undefined);
  return isOpen && nowMs - (row.startedAtMs ?? row.updatedAtMs ?? 0) < STALE_RUN_MS;
}

function listed(children: readonly SessionRow[], nowMs: number, recentMinutes: number): JsonObject {
  const shown = children.map((row, place) => ({ row, json: shownChild(row, place, nowMs) }));
  const isRecent = (row: SessionRow): boolean => nowMs - (row.endedAtMs ?? row.updatedAtMs ?? 0) <= recentMinutes * MINUTE_MS;
  return {
    active: shown.filter(({ row }) => isActive(row, nowMs)).map(({ json }) => json),
    recent: shown.filter(({ row }) => !isActive(row, nowMs) && isRecent(row)).map(({ json }) => json),
  };
}

function shownChild(row: SessionRow, place: number, nowMs: number): JsonObject {
  const runtimeMs = row.runtimeMs ?? (row.startedAtMs === undefined ? undefined : (row.endedAtMs ?? nowMs) - row.startedAtMs);
  const status = row.status ?? (isActive(row, nowMs) ? 'queued' : 'unknown');
  return { index: place + 1, label: row.label, sessionKey: row.key, agentId: row.agentId, sessionId: row.sessionId, status, startedAt: row.startedAtMs, endedAt: row.endedAtMs, runtimeMs, totalTokens: tokensOf(row), model: modelOf(row), estimatedCostUsd: row.estimatedCostUsd };
}

function isTarget(row: SessionRow, place: number, target: string): boolean {
  return target === String(place + 1) || target === row.label || target === row.key || target === row.sessionId || row.key.endsWith(`:subagent:${target}`);
}

/** The sub-agent first, so that it spawns no more while those that it spawned are stopped. */
export async function kill({ deps, context }: Pick<ToolCall, 'deps' | 'context'>, rows: readonly SessionRow[]): Promise<readonly string[]> {
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
    waiting.push(...(await childrenOf(deps, await agentsOfChildren(deps, agentId as ToolCall['caller']['agentId'], context), key, context)));
  }
  return killed;
}

/** Its result is told to this session as that of the run before would have been. */
async function steer(call: ToolCall, child: SessionRow, message: string): Promise<ToolAnswer> {
  const { deps, context } = call;
  if (!isActive(child, deps.clock.nowMs())) throw new SessionError('VALIDATION', 'the sub-agent has ended; sessions_send reaches its session, sessions_spawn starts another');
  const interSession = nextInterSession(call, 'subagents');
  const followUp = spawnClaim(call, { task: message, label: child.label, hops: interSession.hops });
  const run = RunRequest.create({ runId: uuidOfCall(context), deliver: false, source: 'spawn', queueMode: 'interrupt', followUp });
  const answer = await deliverTo(deps, { agentId: child.agentId, key: child.key, text: interSessionText(interSession, message), attachments: [], interSession, run, requireExisting: true, interrupt: true, part: 'steer' }, context);
  return { details: { status: 'accepted', runId: answer.runId, sessionKey: child.key, interrupted: answer.interruptedRunId !== undefined } };
}

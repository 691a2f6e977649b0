/** `subagents`: the sub-agents of the calling session: listed, steered, or killed with all they spawned. */
import { RunRequest } from '@sessions/contracts';
import type { SessionRow } from '@sessions/contracts';
import { SessionError, interSessionText, isSameKey, isUuid, modelOf, parseSubagentsArguments, tokensOf } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import type { SeenAddress } from '../auth/sight';
import { deliverTo } from '../handlers/deliver-to';
import { findRun } from '../handlers/find-run';
import { runIdOfCall } from '../handlers/minted-id';
import { isActive, kill, ownChildren } from '../handlers/sub-agents';
import { nextInterSession } from './chain';
import { spawnClaim } from './spawn-claim';
import { argumentsOf, failed } from './tool-call';
import type { ToolAnswer, ToolCall } from './tool-call';

const MINUTE_MS = 60_000;
export async function subagents(call: ToolCall, raw: unknown): Promise<ToolAnswer> {
  const asked = argumentsOf(parseSubagentsArguments(raw));
  const children = await ownChildren(call);
  if (asked.action === 'list') return { details: listed(children, call.deps.clock.nowMs(), asked.recentMinutes) };
  const all = asked.action === 'kill' && asked.target.toLowerCase() === 'all';
  const chosen = all ? children : await targets(call, children, asked.target);
  if (!all && chosen.length !== 1) return failed(chosen.length === 0 ? `No sub-agent found: ${asked.target}` : `several sub-agents match ${asked.target}: name one by its session key`);
  if (asked.action === 'kill') return { details: { status: 'ok', killed: await kill(call, chosen) } };
  const [child] = chosen;
  return child === undefined ? failed(`No sub-agent found: ${asked.target}`) : steer(call, child, asked.message);
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
  return { index: place + 1, label: labelOf(row), sessionKey: row.key, agentId: row.agentId, sessionId: row.sessionId, status, startedAt: row.startedAtMs, endedAt: row.endedAtMs, runtimeMs, totalTokens: tokensOf(row), model: modelOf(row), estimatedCostUsd: row.estimatedCostUsd };
}

/** Those that a name means: what the list shows of a sub-agent, or the run that its spawn was answered with. */
async function targets({ deps, caller, context }: ToolCall, children: readonly SessionRow[], target: string): Promise<readonly SessionRow[]> {
  const named = children.filter((row, place) => isTarget(row, place, target));
  if (named.length > 0 || !isUuid(target)) return named;
  const sees = (address: SeenAddress): boolean => children.some((row) => isAt(row, address));
  const found = await findRun(deps, { runId: target, nearAgentId: caller.agentId, sees }, context);
  return found === undefined ? [] : children.filter((row) => isAt(row, { agentId: found.agentId, key: found.run.sessionKey }));
}

function isTarget(row: SessionRow, place: number, target: string): boolean {
  return target === String(place + 1) || target === labelOf(row) || isSameKey(row.key, target) || target === row.sessionId || row.key.endsWith(`:subagent:${target}`);
}

const isAt = (row: SessionRow, { agentId, key }: SeenAddress): boolean => row.agentId === agentId && isSameKey(row.key, key);

/** A label that another session had before is shown all the same. */
const labelOf = (row: SessionRow): string | undefined => row.label ?? row.displayName;

/** Its result is told to this session as that of the run before would have been. */
async function steer(call: ToolCall, child: SessionRow, message: string): Promise<ToolAnswer> {
  const { deps, context } = call;
  if (!isActive(child, deps.clock.nowMs())) throw new SessionError('VALIDATION', 'the sub-agent has ended; sessions_send reaches its session, sessions_spawn starts another');
  const interSession = await nextInterSession(call, 'subagents', child.agentId);
  const followUp = spawnClaim(call, { childAgentId: child.agentId, task: message, label: labelOf(child), hops: interSession.hops });
  const run = RunRequest.create({ runId: runIdOfCall(context, child.agentId), deliver: false, source: 'spawn', queueMode: 'interrupt', followUp });
  const answer = await deliverTo(deps, { agentId: child.agentId, key: child.key, text: interSessionText(interSession, message), attachments: [], interSession, run, requireExisting: true, interrupt: true, part: 'steer' }, context);
  return { details: { status: 'accepted', runId: answer.runId, sessionKey: child.key, interrupted: answer.interruptedRunId !== undefined } };
}

/**
 * What was asked for in a chat and waits for an operator's word: `exec.approval.list`, `.get`, `.resolve`.
 * Approvals are held by the owners of the stores; an id names its agent.
 */
import { ListPendingRequest, ResolveApprovalRequest } from '@sessions/contracts';
import type { PendingApproval } from '@sessions/contracts';
import { SessionError, isJsonObject } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { seesAgent } from '../../auth/scopes';
import type { HandlerDeps } from '../../deps';
import { agentsToRead } from '../../handlers/resolve-address';
import { textOf } from '../method';
import type { GatewayMethod } from '../method';

/** Approvals of one agent that are shown. */
const LISTED_MAX = 1_000;
const DECISIONS = ['allow-once', 'deny'];

/** Everything that waits, of the agents that the caller sees; the oldest first. */
export const execApprovalList: GatewayMethod = async (deps, { context }) => {
  const agents = await agentsToRead(deps, { agentId: undefined, all: true, discover: true }, context);
  const found: PendingApproval[] = [];
  for (const { agentId } of agents) if (seesAgent(context.scopes, agentId)) found.push(...(await waitingOf(deps, agentId, context)));
  found.sort((one, other) => one.requestedAtMs - other.requestedAtMs);
  return { payload: found.map(({ approvalId: id, requestJson, requestedAtMs, expiresAtMs }) => ({ id, request: requestOf(requestJson), createdAtMs: requestedAtMs, expiresAtMs })) };
};

/** @throws VALIDATION for an id that nothing waits under, or several do */
export const execApprovalGet: GatewayMethod = async (deps, { params, context }) => {
  const agentId = await agentOf(deps, textOf(params, 'id'), context);
  const found = (await waitingOf(deps, agentId, context)).find(({ approvalId }) => approvalId === textOf(params, 'id'));
  if (found === undefined) throw unknown();
  const { command, host, nodeId, allowedDecisions } = requestOf(found.requestJson);
  return { payload: { id: found.approvalId, commandText: command, allowedDecisions, host, nodeId, agentId, expiresAtMs: found.expiresAtMs } };
};

/** @throws VALIDATION as above, for a word that is none, and for one that would hold for the next time too */
export const execApprovalResolve: GatewayMethod = async (deps, { params, context, connection }) => {
  const [approvalId = '', decision = ''] = [textOf(params, 'id'), textOf(params, 'decision')];
  const agentId = await agentOf(deps, approvalId, context);
  if (decision === 'allow-always') throw new SessionError('VALIDATION', 'allow-always is unavailable because the effective policy requires approval every time', { facts: { reason: 'APPROVAL_ALLOW_ALWAYS_UNAVAILABLE' } });
  if (!DECISIONS.includes(decision)) throw new SessionError('VALIDATION', 'invalid decision');
  await deps.stores.mutate('resolveApproval', ResolveApprovalRequest.create({ agentId, approvalId, decision, resolvedBy: connection.clientId === '' ? undefined : connection.clientId }), context, { part: 'approval' });
  return { payload: { ok: true } };
};

async function waitingOf(deps: HandlerDeps, agentId: string, context: CallContext): Promise<PendingApproval[]> {
  return (await deps.stores.read('listPending', ListPendingRequest.create({ agentId, kinds: ['approval'], limit: LISTED_MAX }), context)).approvals;
}

/** The agent that an id names, when the caller sees it; what it does not see answers as what does not exist. */
async function agentOf(deps: HandlerDeps, id: string | undefined, context: CallContext): Promise<string> {
  const agentId = id === undefined ? '' : id.slice(0, Math.max(0, id.lastIndexOf('.')));
  if (agentId === '' || !seesAgent(context.scopes, agentId) || !(await deps.agents.hasStore(agentId, context))) throw unknown();
  return agentId;
}

export function requestOf(bytes: Uint8Array): JsonObject {
  const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
  return isJsonObject(value as JsonObject) ? (value as JsonObject) : {};
}

function unknown(): SessionError {
  return new SessionError('VALIDATION', 'unknown or expired approval id', { facts: { reason: 'APPROVAL_NOT_FOUND' } });
}

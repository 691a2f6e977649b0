/** EraseSession: one session of one agent, or one person in the stores of all agents that the caller may see. */
import { EraseReport, EraseRequest, EraseSessionResponse } from '@sessions/contracts';
import type { EraseSessionRequest } from '@sessions/contracts';
import { SessionError, looksLikeKey, normaliseSessionKey } from '@sessions/domain';
import { STREAM_DEADLINE_MS, toSessionError } from '@sessions/bus';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { assertSeesAgent } from '../auth/scopes';
import { assertKnownAgent } from './known-agent';
import { addressOfKey, agentsToRead, spelledOut } from './resolve-address';

/** An erasure reads the whole store twice. */
export const ERASE_BUDGET_MS = STREAM_DEADLINE_MS;

/** @throws VALIDATION without `confirm`, and for words that are no key; NOT_VISIBLE for a key of an agent that is hidden; what the store refuses with, when it is the only one */
export async function eraseSession(deps: HandlerDeps, request: EraseSessionRequest, context: CallContext): Promise<EraseSessionResponse> {
  const { key, peer, dryRun } = request;
  if (!dryRun && !request.confirm) throw new SessionError('VALIDATION', 'an erasure cannot be undone: set confirm, or dryRun to see what it would take');
  if ((key === undefined) === (peer === undefined)) throw new SessionError('VALIDATION', 'an erasure names a key or a peer, and not both');
  await assertKnownAgent(deps, request.agentId, context);
  const asked = key === undefined ? undefined : keyAsked(deps, key, request.agentId, context);
  if (asked !== undefined) assertSeesAgent(context.scopes, asked.agentId);
  const agents = await agentsToRead(deps, { agentId: asked?.agentId ?? request.agentId, all: true, discover: true }, context);
  const reports: EraseReport[] = [];
  for (const { agentId, storePath } of agents) {
    try {
      const one = EraseRequest.create({ agentId, key: asked?.key, peer, dryRun });
      const { report } = await deps.stores.mutate('erase', one, context, { part: agentId, budgetMs: ERASE_BUDGET_MS });
      if (report !== undefined) reports.push(report);
    } catch (thrown) {
      if (agents.length === 1) throw thrown;
      const { reason, message } = toSessionError(thrown);
      reports.push(EraseReport.create({ agentId, storePath, dryRun, errorReason: reason, errorMessage: message }));
    }
  }
  return EraseSessionResponse.create({ reports });
}

/** Sessions ids are no keys here: what is erased for good is named in full. */
function keyAsked(deps: HandlerDeps, key: string, agentId: string | undefined, context: CallContext): { readonly agentId: string; readonly key: string } {
  if (!looksLikeKey(key)) throw new SessionError('VALIDATION', `"${key.slice(0, 64)}" is no session key; name it in full, agent:<agent>:…, or a person as peer`);
  const address = addressOfKey(deps, { key, agentId }, context);
  // In its own letters: the canonical spelling is among those that the store takes it for, not the other way round.
  const asked = spelledOut({ key }, address);
  return normaliseSessionKey(asked) === address.key ? { agentId: address.agentId, key: asked } : address;
}

/** RestoreSession: an archive of a key back in its place; what is live is set aside first. */
import { RestoreSessionResponse, StoreServiceRestoreSessionRequest } from '@sessions/contracts';
import type { RestoreSessionRequest, StoreServiceRestoreSessionResponse } from '@sessions/contracts';
import { SessionError, normaliseSessionKey } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { assertKnownAgent, assertOneAgent } from './known-agent';
import { ENDING_RUN_BUDGET_MS } from './reset-session';
import { resolveAddress, spelledOut } from './resolve-address';
import type { Address } from './resolve-address';

/** @throws ARCHIVE_NOT_FOUND, AGENT_UNKNOWN, RUN_STILL_ACTIVE */
export async function restoreSession(deps: HandlerDeps, request: RestoreSessionRequest, context: CallContext): Promise<RestoreSessionResponse> {
  await assertKnownAgent(deps, request.agentId, context);
  assertOneAgent(request);
  const address = asAsked(request, await resolveAddress(deps, request, context));
  if (!(await deps.agents.hasStore(address.agentId, context))) throw new SessionError('ARCHIVE_NOT_FOUND', `No archive found for ${request.key}`, { hint: 'See what there is: openclaw sessions restore --list' });
  const { archive, dryRun } = request;
  const { key, sessionId, restored, archived, entryJson } = await restoreInStore(deps, address, { archive, dryRun }, context);
  return RestoreSessionResponse.create({ key, sessionId, restored, archived, entryJson });
}

/** A removed row has no spelling in the store any more: its archives are looked for in the letters of the request. */
function asAsked(request: RestoreSessionRequest, address: Address): Address {
  const key = spelledOut(request, address);
  return normaliseSessionKey(key) === normaliseSessionKey(address.key) ? { ...address, key } : address;
}

/** What is brought back: an archive, or the state of a compaction checkpoint. */
export interface Restored {
  readonly archive?: string | undefined;
  readonly checkpointId?: string;
  readonly dryRun?: boolean;
}

export function restoreInStore(deps: HandlerDeps, address: Address, restored: Restored, context: CallContext): Promise<StoreServiceRestoreSessionResponse> {
  return deps.stores.mutate('restoreSession', StoreServiceRestoreSessionRequest.create({ ...address, ...restored }), context, { budgetMs: ENDING_RUN_BUDGET_MS });
}

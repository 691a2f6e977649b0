/** An agent named beside a key has to be one that there is, and the key's own. */
import { SessionError, parseSessionKey, slugAgentId } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';

/** Characters of a name that are repeated to the client. */
const NAME_SHOWN_MAX = 64;

/** @throws AGENT_UNKNOWN for one that is neither configured nor on disk; absent: any */
export async function assertKnownAgent(deps: HandlerDeps, given: string | undefined, context: CallContext): Promise<void> {
  if (given === undefined) return;
  const agentId = slugAgentId(given);
  if ((await deps.agents.find(agentId, context)) !== undefined || (await deps.agents.hasStore(agentId, context))) return;
  throw new SessionError('AGENT_UNKNOWN', `Unknown agent id "${given.slice(0, NAME_SHOWN_MAX)}"`);
}

/**
 * An agent beside a key of another one: which of the two is meant decides whose session is changed, so neither is taken.
 * @throws VALIDATION
 */
export function assertOneAgent({ key = '', agentId = '' }: { readonly key?: string | undefined; readonly agentId?: string | undefined }): void {
  const named = parseSessionKey(key).agentId;
  if (agentId === '' || named === undefined || slugAgentId(named) === slugAgentId(agentId)) return;
  throw new SessionError('VALIDATION', 'session key agent does not match agentId', { hint: 'Name the agent of the key, or none.' });
}

/** Which sessions the token of the webhooks is good for: it is held by other people's systems. */
import { SessionError } from '../errors';
import type { AgentId } from '../ids';

export interface HookLimits {
  /** Lower case; undefined: any. */
  readonly allowedSessionKeyPrefixes: readonly string[] | undefined;
  /** Undefined: any. */
  readonly allowedAgentIds: readonly AgentId[] | undefined;
}

/** @param key as a webhook names it, or as it is made for one that names none: without its agent */
export function isWithinHookPrefixes(key: string, { allowedSessionKeyPrefixes }: Pick<HookLimits, 'allowedSessionKeyPrefixes'>): boolean {
  const folded = key.trim().toLowerCase();
  return allowedSessionKeyPrefixes === undefined || allowedSessionKeyPrefixes.some((prefix) => folded.startsWith(prefix));
}

/**
 * @param requestedKey as the webhook names it; undefined: it names none
 * @param agentId whose session is meant, whichever member says so
 * @throws VALIDATION
 */
export function assertHookMayReach(requestedKey: string | undefined, agentId: AgentId, limits: HookLimits): void {
  const { allowedAgentIds, allowedSessionKeyPrefixes = [] } = limits;
  if (allowedAgentIds !== undefined && !allowedAgentIds.includes(agentId)) {
    throw new SessionError('VALIDATION', 'agentId is not allowed by hooks.allowedAgentIds');
  }
  if (requestedKey !== undefined && !isWithinHookPrefixes(requestedKey, limits)) {
    throw new SessionError('VALIDATION', `sessionKey must start with one of: ${allowedSessionKeyPrefixes.join(', ')}`);
  }
}

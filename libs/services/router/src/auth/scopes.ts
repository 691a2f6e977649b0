/**
 * What a scope includes, and how scopes are narrowed. A word `agent:<id>` among the scopes restricts
 * its holder to the sessions of the agents so named; it travels with every call, and the last gate
 * before a store looks at it again.
 */
import { SessionError } from '@sessions/domain';
import { ADAPTER_SCOPE, SCOPE } from './scope-words';
import type { OperatorScope } from './scope-words';

export { SCOPE } from './scope-words';
export type { OperatorScope } from './scope-words';

/** What the shared token or password holds unless the configuration narrows it. */
export const SHARED_SECRET_SCOPES: readonly string[] = [
  SCOPE.admin,
  SCOPE.read,
  SCOPE.write,
  SCOPE.approvals,
  'operator.pairing',
  'operator.talk.secrets',
];

const AGENT_PREFIX = 'agent:';
/** Holds no agent at all; no agent has that id. */
const NO_AGENT = `${AGENT_PREFIX}*none*`;
/** Agents that a caller is restricted to, in the order of its scopes. */
export const agentsNamed = (scopes: readonly string[]): readonly string[] => scopes.filter(isAgentWord).map((word) => word.slice(AGENT_PREFIX.length));
/** True for a word that restricts to an agent. */
export const isAgentWord = (word: string): boolean => word.startsWith(AGENT_PREFIX);

/** Admin includes all, write includes read; to approve is a right of its own. */
export function holdsScope(scopes: readonly string[], needed: OperatorScope): boolean {
  if (scopes.includes(SCOPE.admin)) return true;
  if (needed === SCOPE.admin) return false;
  if (needed === SCOPE.approvals) return scopes.includes(needed);
  return scopes.includes(SCOPE.write) || scopes.includes(needed);
}

/** True for those whose word on the authority of a sender counts (inbound §1). */
export const vouchesForSenders = (scopes: readonly string[]): boolean => scopes.includes(SCOPE.admin) || scopes.includes(ADAPTER_SCOPE);

/**
 * Of the scopes asked for, those that `granted` includes. Unknown words pass only when granted as they are.
 * Words `agent:<id>` give nothing and take away: what either side restricts stays restricted.
 */
export function narrowScopes(asked: readonly string[], granted: readonly string[]): readonly string[] {
  const operatorScopes: readonly string[] = Object.values(SCOPE);
  const isGranted = (scope: string): boolean => {
    if (scope === ADAPTER_SCOPE) return vouchesForSenders(granted);
    return operatorScopes.includes(scope) ? holdsScope(granted, scope as OperatorScope) : granted.includes(scope);
  };
  const held = asked.filter((scope) => !isAgentWord(scope) && isGranted(scope));
  return [...held, ...restrictionOf(asked.filter(isAgentWord), granted.filter(isAgentWord))];
}

/** The agents that both sides leave; none where they have nothing in common. */
function restrictionOf(asked: readonly string[], granted: readonly string[]): readonly string[] {
  if (asked.length === 0 || granted.length === 0) return [...asked, ...granted];
  const both = asked.filter((word) => granted.includes(word));
  return both.length === 0 ? [NO_AGENT] : both;
}

/** The words for a restriction to these agents; undefined: none. */
export function agentWords(agents: readonly string[] | undefined): readonly string[] {
  if (agents === undefined) return [];
  return agents.length === 0 ? [NO_AGENT] : agents.map((agentId) => `${AGENT_PREFIX}${agentId}`);
}

/**
 * What a caller holds of what it asks for.
 * @param asked undefined: everything that is granted
 * @param granted undefined: whatever is asked for. A restriction to agents in it is never shaken off.
 */
export function heldScopes(asked: readonly string[] | undefined, granted: readonly string[] | undefined): readonly string[] {
  if (granted === undefined) return asked ?? SHARED_SECRET_SCOPES;
  if (asked === undefined) return granted;
  return narrowScopes(asked, granted);
}

/** True unless the scopes are restricted to other agents. */
export function seesAgent(scopes: readonly string[], agentId: string): boolean {
  return !isRestricted(scopes) || scopes.includes(`${AGENT_PREFIX}${agentId}`);
}

export const isRestricted = (scopes: readonly string[]): boolean => scopes.some(isAgentWord);

/** True when both are restricted to the same agents, or neither is to any. */
export function isRestrictedAlike(scopes: readonly string[], others: readonly string[]): boolean {
  const [some, more] = [new Set(scopes.filter(isAgentWord)), new Set(others.filter(isAgentWord))];
  return some.size === more.size && [...some].every((word) => more.has(word));
}

/** @throws NOT_VISIBLE, the same whether or not the agent exists */
export function assertSeesAgent(scopes: readonly string[], agentId: string): void {
  if (!seesAgent(scopes, agentId)) throw new SessionError('NOT_VISIBLE', 'forbidden');
}

/** Which session a request means: every form of a key, and session ids, to agent and key. */
import type { AgentInfo } from '@sessions/contracts';
import { SessionError, isUuid, normaliseSessionKey, parseSessionKey, slugAgentId, toRequestKey } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { defaultAgentFor } from '../auth/default-agent';
import { assertSeesAgent } from '../auth/scopes';
import { assertSees } from '../auth/sight';
import type { HandlerDeps } from '../deps';

export interface Address {
  readonly agentId: string;
  /** Canonical, or as the row is stored that was named in exactly this spelling. */
  readonly key: string;
}

export interface AddressRequest {
  readonly key?: string | undefined;
  readonly agentId?: string | undefined;
}

/**
 * The address of a key that is no session id; nothing is looked up. A key that names no agent, where none
 * is named beside it, is one of the default agent, as the caller sees it.
 * @throws AGENT_REQUIRED for the shared key `global` without an agent, KEY_INVALID for `unknown`
 */
export function addressOfKey(deps: Pick<HandlerDeps, 'config'>, { key, agentId }: AddressRequest, caller: Pick<CallContext, 'scopes'>): Address {
  const config = deps.config();
  const defaultAgentId = defaultAgentFor(config, caller);
  const { scope, mainKey } = config.session;
  const request = toRequestKey({ key, defaultAgentId, scope, mainKey, ...(agentId !== undefined && { agentId }) });
  if (request.key === 'unknown') throw new SessionError('KEY_INVALID', 'the session key "unknown" is not addressable');
  if (request.agentId === undefined) {
    throw new SessionError('AGENT_REQUIRED', `the session key "${request.key}" needs an agent: name one beside it`);
  }
  return { agentId: request.agentId, key: request.key };
}

/**
 * As `addressOfKey`, but a row that stands in the store in exactly the spelling asked for keeps it: other
 * writers' keys are in any case, and a row is never renamed. Only a spelling that is not canonical is looked up.
 * @throws NOT_VISIBLE for an agent that the caller may not see; else as `addressOfKey`
 */
export async function storedAddressOfKey(deps: HandlerDeps, request: AddressRequest, context: CallContext): Promise<Address> {
  const address = addressOfKey(deps, request, context);
  assertSeesAgent(context.scopes, address.agentId);
  const asked = spelledOut(request, address);
  if (asked === address.key || normaliseSessionKey(asked) !== address.key) return address;
  const stored = await storedKey(deps, address.agentId, { $case: 'key', value: asked }, context);
  return stored === undefined ? address : { agentId: address.agentId, key: stored };
}

/** The key as it was asked for, in its own letters, with its agent. */
export function spelledOut({ key = '' }: AddressRequest, { agentId }: Pick<Address, 'agentId'>): string {
  const text = key.trim();
  return text.toLowerCase().startsWith('agent:') || parseSessionKey(text).form === 'global' ? text : `agent:${agentId}:${text}`;
}

/**
 * The address of a key or a session id. A session id is looked for in the agent named beside it,
 * else in the default agent, then in all others.
 * @throws SESSION_NOT_FOUND for a session id that no row has, KEY_AMBIGUOUS when several agents
 * but not the first one have it; NOT_VISIBLE for a key of an agent that the caller may not see; else
 * as `addressOfKey`
 */
export async function resolveAddress(deps: HandlerDeps, request: AddressRequest, context: CallContext): Promise<Address> {
  const address = await findAddress(deps, request, context);
  await assertSees(deps, address, context).catch((error: unknown) => {
    // An id that is hidden is an id that there is not (decision 43).
    if (isUuid((request.key ?? '').trim()) && error instanceof SessionError && error.reason === 'NOT_VISIBLE') throw notFound(request.key ?? '');
    throw error;
  });
  return address;
}

const notFound = (id: string): SessionError => new SessionError('SESSION_NOT_FOUND', `No session found: ${id.trim()}`);

async function findAddress(deps: HandlerDeps, request: AddressRequest, context: CallContext): Promise<Address> {
  const text = (request.key ?? '').trim();
  if (!isUuid(text)) return storedAddressOfKey(deps, request, context);
  const asKey = addressOfKey(deps, request, context);
  const own = await keyOfId(deps, asKey.agentId, text, asKey.key, context);
  if (own !== undefined) return { agentId: asKey.agentId, key: own };
  const found: Address[] = [];
  for (const agentId of request.agentId === undefined ? await otherAgents(deps, asKey.agentId, context) : []) {
    const key = await keyOfId(deps, agentId, text, undefined, context);
    if (key !== undefined) found.push({ agentId, key });
  }
  if (found.length > 1) {
    throw new SessionError('KEY_AMBIGUOUS', `session ${text} is in several agents: ${found.map(({ agentId }) => agentId).join(', ')}`);
  }
  if (found[0] !== undefined) return found[0];
  throw notFound(text);
}

async function keyOfId(
  deps: HandlerDeps,
  agentId: string,
  sessionId: string,
  asKey: string | undefined,
  context: CallContext,
): Promise<string | undefined> {
  const byKey = asKey === undefined ? undefined : await storedKey(deps, agentId, { $case: 'key', value: asKey }, context);
  return byKey ?? storedKey(deps, agentId, { $case: 'sessionId', value: sessionId }, context);
}

/** The key of the row, as it is stored; undefined without one. */
async function storedKey(deps: HandlerDeps, agentId: string, by: { $case: 'key' | 'sessionId'; value: string }, context: CallContext): Promise<string | undefined> {
  if (!(await deps.agents.hasStore(agentId, context))) return undefined;
  const { keys } = await deps.stores.read('resolveKey', { agentId, by, spawnedBy: undefined, includeGlobal: true, includeUnknown: false }, context);
  return keys[0];
}

/** Agents with a store beside `agentId`. */
async function otherAgents(deps: HandlerDeps, agentId: string, context: CallContext): Promise<readonly string[]> {
  return (await deps.agents.list(context)).filter((agent) => agent.hasStore && agent.agentId !== agentId).map((agent) => agent.agentId);
}

/** The agents whose stores a request reads, those with a store only. */
export async function agentsToRead(
  deps: HandlerDeps,
  which: { readonly agentId: string | undefined; readonly all: boolean; readonly discover: boolean },
  context: CallContext,
): Promise<readonly AgentInfo[]> {
  if (which.agentId === undefined && which.all) {
    return (await deps.agents.list(context)).filter((agent) => agent.hasStore && (which.discover || agent.configured));
  }
  const agentId = which.agentId === undefined ? defaultAgentFor(deps.config(), context) : slugAgentId(which.agentId);
  if (!(await deps.agents.hasStore(agentId, context))) return [];
  const known = await deps.agents.find(agentId, context);
  return known === undefined ? [] : [known];
}

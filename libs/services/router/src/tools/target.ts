/** Which session a tool's `sessionKey` or `label` means, as far as its caller may know of it. */
import { ResolveKeyRequest } from '@sessions/contracts';
import type { SessionRow } from '@sessions/contracts';
import { SessionError, isSameKey, isSessionId, isUuid, namedKey, toRequestKey } from '@sessions/domain';
import { readRow } from '../auth/sight';
import type { SeenAddress } from '../auth/sight';
import type { ToolCall } from './tool-call';

export interface Target extends SeenAddress {
  /** Undefined: no session has the key (yet). */
  readonly row: SessionRow | undefined;
}

/**
 * @param asked a key in any form, `main`, `current`, or a session id
 * @throws NOT_VISIBLE for a key that is hidden, there or not; SESSION_NOT_FOUND for an id that no
 * visible session has
 */
export async function resolveTarget(call: ToolCall, asked: string): Promise<Target> {
  const { caller } = call;
  const text = asked.trim();
  if (text.toLowerCase() === 'current') return { agentId: caller.agentId, key: caller.key, row: caller.row };
  if (isUuid(text)) return byId(call, text);
  const address = keyAddress(call, text);
  const row = await readRow(call.deps, address, call.context);
  if (row === undefined && !text.includes(':') && isSessionId(text) && text.toLowerCase() !== 'main') {
    // An id that is no UUID looks like a bare key; keys come first.
    const found = await byId(call, text).catch(ignoreMissing);
    if (found !== undefined) return found;
  }
  if (!(await caller.sight.sees(address, row))) throw hidden(call);
  return { ...address, key: row?.key ?? address.key, row };
}

export function hidden({ caller }: ToolCall): SessionError {
  const { range } = caller.sight;
  const needed = range === 'all' ? '; sessions of other agents also need tools.agentToAgent, and a token that shows the agent' : '';
  return new SessionError('NOT_VISIBLE', `this session may not see or reach the session asked for (visibility "${range}"${needed})`);
}

function keyAddress({ deps, caller }: ToolCall, text: string): SeenAddress {
  const { scope, mainKey } = deps.config().session;
  const request = toRequestKey({ key: text, agentId: caller.agentId, defaultAgentId: caller.agentId, scope, mainKey });
  if (request.key === 'unknown') throw new SessionError('KEY_INVALID', 'the session key "unknown" is not addressable');
  // No tool lists such a row: what is sent to it would be seen by nobody.
  if (request.key === 'global' && scope !== 'global') {
    throw new SessionError('KEY_INVALID', 'the session key "global" is not addressable: it is the shared session of session.scope "global", and the scope here is "per-sender"; "main" is this agent\'s main session');
  }
  return { agentId: request.agentId ?? caller.agentId, key: request.key };
}

async function byId(call: ToolCall, sessionId: string): Promise<Target> {
  const found = await visibleMatch(call, { $case: 'sessionId', value: sessionId });
  if (found === undefined) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${sessionId}`);
  return found;
}

/** @throws SESSION_NOT_FOUND when no visible session has the label */
export async function byLabel(call: ToolCall, label: string): Promise<Target> {
  const found = await visibleMatch(call, { $case: 'label', value: label });
  if (found === undefined) throw new SessionError('SESSION_NOT_FOUND', `No session found with label: ${label}`);
  return found;
}

/** The caller's own agent first. What is hidden is passed over as if it were not there. */
async function visibleMatch(call: ToolCall, by: NonNullable<ResolveKeyRequest['by']>): Promise<Target | undefined> {
  const { deps, caller, context } = call;
  const agents = (await deps.agents.list(context)).filter(({ hasStore }) => hasStore).map(({ agentId }) => agentId);
  const own = agents.filter((agentId) => agentId === caller.agentId);
  for (const agentId of [...own, ...agents.filter((id) => id !== caller.agentId)]) {
    const { keys } = await deps.stores.read('resolveKey', ResolveKeyRequest.create({ agentId, by }), context);
    for (const key of keys) {
      const row = await readRow(deps, { agentId, key }, context);
      if (row !== undefined && (await caller.sight.sees({ agentId, key }, row))) return { agentId, key, row };
    }
  }
  return undefined;
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof SessionError && error.reason === 'SESSION_NOT_FOUND') return undefined;
  throw error;
}

/** How its caller and other agents name it. */
export const shownKey = ({ agentId, key }: SeenAddress): string => namedKey(agentId, key);

export const isOwn = ({ caller }: ToolCall, { agentId, key }: SeenAddress): boolean => agentId === caller.agentId && isSameKey(key, caller.key);

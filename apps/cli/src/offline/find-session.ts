/** The session that a person names by key or by session id, in the stores of a selection. */
import { openOfflineStore } from './open-offline-store';
import type { OfflineStore, StoredEntry } from './offline-store';
import { selectStores } from './select-stores';
import type { CliContext } from '../cli-context';
import type { ScopeFlags } from '../flags/list-flags';
import { SessionError, configuredAgents, parseSessionKey, toRequestKey } from '@sessions/domain';

export interface FoundSession {
  readonly store: OfflineStore;
  readonly found: StoredEntry;
}

const given = (text: string | undefined): boolean => text !== undefined && text !== '';

/** @throws SESSION_NOT_FOUND; STORE_UNREADABLE */
export async function findSession(context: CliContext, flags: ScopeFlags, keyOrSessionId: string): Promise<FoundSession> {
  const scope = given(flags.agent) || given(flags.store) ? flags : agentOfKey(context, keyOrSessionId);
  for (const choice of selectStores(scope, context).stores) {
    const store = openOfflineStore(choice);
    const found = (await store.find(keyOrSessionId)) ?? (await store.find(toRequestKey({ key: keyOrSessionId, defaultAgentId: choice.agentId }).key));
    if (found !== undefined) return { store, found };
  }
  throw new SessionError('SESSION_NOT_FOUND', `No session found: ${keyOrSessionId}`, { hint: 'openclaw sessions list shows the keys.' });
}

/** A key names its agent; everything else is looked for in the default agent's store. */
function agentOfKey({ config }: CliContext, key: string): ScopeFlags {
  const { agentId } = parseSessionKey(key);
  return agentId !== undefined && configuredAgents(config).ids.some((id) => id === agentId) ? { agent: agentId } : {};
}

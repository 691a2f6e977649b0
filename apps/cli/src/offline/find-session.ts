/** The session that a person names by key or by session id, in the stores of a selection. */
import { readStore } from './read-store';
import { selectStores } from './select-stores';
import type { StoreChoice } from './select-stores';
import type { CliContext } from '../cli-context';
import type { ScopeFlags } from '../flags/list-flags';
import type { SessionRow } from '@sessions/contracts';
import { SessionError, configuredAgents, isJsonObject, storedSpellings, parseEntry, parseSessionKey, toRequestKey, toSessionRow } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';

export interface FoundSession {
  readonly store: StoreChoice;
  readonly key: string;
  /** As stored, in whichever format. */
  readonly entry: JsonObject;
  /** The row that a listing makes of it; undefined when it would not be listed. */
  readonly row: SessionRow | undefined;
  /** Transcript's name inside the store's directory; null when nothing names one. */
  readonly file: string | null;
  /** Why the entry does not come from `sessions.json`; undefined when it does. */
  readonly warning: string | undefined;
}

const given = (text: string | undefined): boolean => text !== undefined && text !== '';

/** @throws SESSION_NOT_FOUND; STORE_UNREADABLE */
export async function findSession(context: CliContext, flags: ScopeFlags, keyOrSessionId: string): Promise<FoundSession> {
  const scope = given(flags.agent) || given(flags.store) ? flags : agentOfKey(context, keyOrSessionId);
  for (const store of selectStores(scope, context).stores) {
    const found = await findIn(store, keyOrSessionId);
    if (found !== undefined) return found;
  }
  throw new SessionError('SESSION_NOT_FOUND', `No session found: ${keyOrSessionId}`, { hint: 'openclaw sessions list shows the keys.' });
}

/** The entry with this key, in either spelling, else with this session id, else with the key that the short form stands for. */
async function findIn(store: StoreChoice, keyOrSessionId: string): Promise<FoundSession | undefined> {
  const { key: requestKey } = toRequestKey({ key: keyOrSessionId, defaultAgentId: store.agentId });
  const { found, warning } = await readStore(store, (reader) => ({
    found: reader.firstExisting([keyOrSessionId, ...storedSpellings(keyOrSessionId)]) ?? reader.ofSession(keyOrSessionId) ?? reader.firstExisting([requestKey, ...storedSpellings(requestKey)]),
    warning: reader.warning,
  }));
  if (found === undefined) return undefined;
  const entry: unknown = JSON.parse(found.text);
  const parsed = parseEntry(entry);
  return {
    store,
    key: found.key,
    entry: isJsonObject(entry) ? entry : {},
    row: parsed.listed ? toSessionRow(found.key, parsed, { agentId: store.agentId }) : undefined,
    file: parsed.listed ? parsed.file : null,
    warning,
  };
}

/** A key names its agent; everything else is looked for in the default agent's store. */
function agentOfKey({ config }: CliContext, key: string): ScopeFlags {
  const { agentId } = parseSessionKey(key);
  return agentId !== undefined && configuredAgents(config).ids.some((id) => id === agentId) ? { agent: agentId } : {};
}

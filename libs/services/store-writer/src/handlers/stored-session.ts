/** Finds the entry that a read means, by the rules that mutations use. */
import { parseEntry } from '@sessions/domain';
import type { AgentStore, StoredEntry } from '@sessions/store';
import { lookupCandidates } from '@sessions/domain';
import { liveSpelling } from '../decisions/session-of-key';

/** The live row for any spelling of a key. */
export async function entryOfKey(store: AgentStore, key: string): Promise<StoredEntry | undefined> {
  const found = new Map<string, StoredEntry>();
  for (const spelling of lookupCandidates(key)) {
    const entry = await store.entry({ key: spelling });
    if (entry !== undefined) found.set(spelling, entry);
  }
  if (found.size <= 1) return [...found.values()][0];
  return liveSpelling(key, (spelling) => found.get(spelling), updatedAtOf);
}

function updatedAtOf({ text }: StoredEntry): number {
  const entry = parseEntry(JSON.parse(text));
  return entry.listed ? (entry.updatedAtMs ?? 0) : 0;
}

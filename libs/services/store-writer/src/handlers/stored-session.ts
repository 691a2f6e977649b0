/** Finds the entry that a read means, by the rules that mutations use. */
import { storedSpellings, parseEntry } from '@sessions/domain';
import type { AgentStore, EntryRef, StoredEntry } from '@sessions/store';
import { liveSpelling } from '../decisions/session-of-key';

/** The live row for any spelling of a key. */
export async function entryOfKey(store: AgentStore, key: string): Promise<StoredEntry | undefined> {
  const found = new Map<string, StoredEntry>();
  for (const spelling of storedSpellings(key)) {
    const entry = await sessionEntry(store, { key: spelling });
    if (entry !== undefined) found.set(spelling, entry);
  }
  return liveSpelling(key, (spelling) => found.get(spelling), updatedAtOf);
}

/** An entry that is a session; values that are none are kept in the store and not shown. */
export async function sessionEntry(store: AgentStore, ref: EntryRef): Promise<StoredEntry | undefined> {
  const entry = await store.entry(ref);
  return entry !== undefined && entry.encodedRow.length > 0 ? entry : undefined;
}

function updatedAtOf({ text }: StoredEntry): number {
  const entry = parseEntry(JSON.parse(text));
  return entry.listed ? (entry.updatedAtMs ?? 0) : 0;
}

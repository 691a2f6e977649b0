/** The session ids that a key has had: files that carry one of them are referenced (decision 30). */
import type { JsonObject } from '../json';

/**
 * Ids that an entry remembers, the present one included; the oldest leave first. What was used under them
 * still counts: sums are kept by key. Their archives stay as long as archives do; a transcript that only a
 * forgotten id named, and trajectories of such ids, are orphans from then on, which maintenance archives.
 */
export const FAMILY_IDS_MAX = 128;

/** @param ids the present one last. @returns what `usageFamilySessionIds` becomes, in the order in which the ids came. */
export function familyWith(entry: JsonObject | undefined, ids: readonly string[]): string[] {
  const stored: unknown = entry?.['usageFamilySessionIds'];
  const known = Array.isArray(stored) ? stored.filter((id): id is string => typeof id === 'string') : [];
  const all = [...new Set([...known, ...ids])];
  const leaving = new Set(all.filter((id) => id !== ids.at(-1)).slice(0, Math.max(0, all.length - FAMILY_IDS_MAX)));
  return all.filter((id) => !leaving.has(id));
}

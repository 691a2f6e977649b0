/**
 * One entry, three texts: ours now, theirs in the file, and the common ancestor. Members are
 * compared and carried over as raw bytes, so a value nobody changed keeps its spelling.
 */
import { patchRawObject, readRawMembers } from '@sessions/domain';

/** @param base undefined: we did not change the entry since the checkpoint. */
export function mergeEntryTexts(ours: string, theirs: string, base: { readonly text: string | undefined } | undefined): string {
  const ourMembers = membersOf(ours);
  const theirMembers = membersOf(theirs);
  // One of the two is no object: there is nothing to merge member by member.
  if (ourMembers === undefined || theirMembers === undefined) return base === undefined ? theirs : ours;
  if (updatedAtOf(theirMembers) < updatedAtOf(ourMembers)) return ours;
  if (base === undefined) return theirs;
  const baseMembers = (base.text === undefined ? undefined : membersOf(base.text)) ?? new Map<string, string>();
  const setRaw = new Map<string, string>();
  const clear: string[] = [];
  for (const [name, raw] of theirMembers) {
    const before = baseMembers.get(name);
    if (raw !== before && ourMembers.get(name) === before) setRaw.set(name, raw);
  }
  for (const [name, before] of baseMembers) {
    if (!theirMembers.has(name) && ourMembers.get(name) === before) clear.push(name);
  }
  if (setRaw.size === 0 && clear.length === 0) return ours;
  return patchRawObject(ours, { setRaw, clear });
}

function membersOf(text: string): Map<string, string> | undefined {
  if (!text.startsWith('{')) return undefined;
  return new Map(readRawMembers(text).map((member) => [member.name, text.slice(member.valueStart, member.valueEnd)]));
}

/** Missing or unreadable counts as the newest: such a file is an edit by hand, not an old copy. */
function updatedAtOf(members: ReadonlyMap<string, string>): number {
  const value: unknown = JSON.parse(members.get('updatedAt') ?? 'null');
  return typeof value === 'number' ? value : Number.POSITIVE_INFINITY;
}

/** What a message changes in the entry of its session, reduced to what really differs. */
import { isJsonObject, type JsonObject, type JsonValue } from '@sessions/domain';

export interface EntryChange {
  readonly set: Readonly<Record<string, JsonValue>>;
  readonly clear: readonly string[];
}

/**
 * Merges a patch into members: null removes, absent leaves alone, objects are merged member by
 * member, so members that are not known to the patch stay. Only what differs is in the result.
 */
export function mergeMembers(before: JsonObject, patch: JsonObject): EntryChange {
  const set: Record<string, JsonValue> = {};
  const clear: string[] = [];
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    const old = before[name];
    if (value === null) {
      if (old !== undefined) clear.push(name);
      continue;
    }
    const merged = isJsonObject(value) ? mergedObject(isJsonObject(old) ? old : {}, value) : value;
    if (!isSameJson(old, merged)) set[name] = merged;
  }
  return { set, clear };
}

function mergedObject(before: JsonObject, patch: JsonObject): JsonObject {
  const result: Record<string, JsonValue | undefined> = { ...before };
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    if (value === null) delete result[name];
    else if (isJsonObject(value)) result[name] = mergedObject(isJsonObject(before[name]) ? before[name] : {}, value);
    else result[name] = value;
  }
  return result;
}

/** Equal as JSON, whatever the order of members. */
export function isSameJson(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other)) {
    const others = other as readonly JsonValue[];
    return one.length === other.length && one.every((item: JsonValue, index) => isSameJson(item, others[index]));
  }
  if (!isJsonObject(one) || !isJsonObject(other)) return false;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => name in other && isSameJson(one[name], other[name]));
}

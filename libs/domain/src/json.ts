/** A value as JSON can hold it; `undefined` members are absent. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [member: string]: JsonValue | undefined };

/** A JSON object. */
export type JsonObject = { readonly [member: string]: JsonValue | undefined };

/** True for plain JSON objects; arrays and null are none. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Levels of a value from outside that are kept. Beyond some thousands writing it as text again ends the stack. */
export const JSON_DEPTH_MAX = 1_000;
/** Stands where a value was nested more deeply. */
export const TOO_DEEP_TEXT = '[left out: nested too deeply]';

/** The same value, or, where it is nested more deeply than JSON_DEPTH_MAX, a copy with a text in the place of what is deeper. */
export function withBoundedDepth<T extends JsonValue>(value: T): T {
  return bounded(value, 0) as T;
}

function bounded(value: JsonValue, depth: number): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= JSON_DEPTH_MAX) return TOO_DEEP_TEXT;
  if (!isJsonObject(value)) {
    const items = value.map((item) => bounded(item, depth + 1));
    return items.every((item, at) => item === value[at]) ? value : items;
  }
  let copy: Record<string, JsonValue | undefined> | undefined;
  for (const name of Object.keys(value)) {
    const member = value[name];
    const kept = member === undefined ? member : bounded(member, depth + 1);
    if (kept !== member) copy = { ...(copy ?? value), [name]: kept };
  }
  return copy ?? value;
}

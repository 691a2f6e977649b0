/** A value as JSON can hold it; `undefined` members are absent. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [member: string]: JsonValue | undefined };

/** A JSON object. */
export type JsonObject = { readonly [member: string]: JsonValue | undefined };

/** True for plain JSON objects; arrays and null are none. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

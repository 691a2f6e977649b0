/**
 * What an event of a trajectory may hold: as much as tells what happened, and never so much that one
 * event fills the file. What is left out leaves a mark of what it was.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';

/** Of one event's line, in bytes of UTF-8. */
export const TRAJECTORY_EVENT_BYTES_MAX = 256 * 1024;
/** Of one text, in UTF-16 units. */
export const TRAJECTORY_TEXT_CHARS_MAX = 32_768;
/** Of one list; members of one object. */
export const TRAJECTORY_ITEMS_MAX = 64;
/** Schemas of tools are the deepest thing in it. */
export const TRAJECTORY_DEPTH_MAX = 16;

/** @returns the same with everything beyond the bounds replaced by `{ truncated: true, reason, ... }`. */
export function boundedTrajectoryData(data: JsonObject): JsonObject {
  return boundedObject(data, 0);
}

function bounded(value: JsonValue, depth: number): JsonValue {
  if (typeof value === 'string') return value.length <= TRAJECTORY_TEXT_CHARS_MAX ? value : mark('trajectory-field-size-limit', { originalChars: value.length, limitChars: TRAJECTORY_TEXT_CHARS_MAX });
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= TRAJECTORY_DEPTH_MAX) return mark('trajectory-depth-limit', { limitDepth: TRAJECTORY_DEPTH_MAX });
  if (isJsonObject(value)) return boundedObject(value, depth);
  const items = value as readonly JsonValue[];
  const kept = items.slice(0, TRAJECTORY_ITEMS_MAX).map((item) => bounded(item, depth + 1));
  return items.length <= TRAJECTORY_ITEMS_MAX ? kept : [...kept, mark('trajectory-array-size-limit', { originalLength: items.length, limitItems: TRAJECTORY_ITEMS_MAX })];
}

function boundedObject(object: JsonObject, depth: number): JsonObject {
  const members = Object.entries(object).filter((member): member is [string, JsonValue] => member[1] !== undefined);
  const kept = Object.fromEntries(members.slice(0, TRAJECTORY_ITEMS_MAX).map(([name, value]) => [name, bounded(value, depth + 1)]));
  return members.length <= TRAJECTORY_ITEMS_MAX ? kept : { ...kept, _truncated: mark('trajectory-object-size-limit', { originalKeys: members.length, limitKeys: TRAJECTORY_ITEMS_MAX }) };
}

/** In the place of an event's data that is too large as a whole. */
export function oversizedTrajectoryData(originalBytes: number): JsonObject {
  return mark('trajectory-event-size-limit', { originalBytes, limitBytes: TRAJECTORY_EVENT_BYTES_MAX });
}

function mark(reason: string, details: JsonObject): JsonObject {
  return { truncated: true, reason, ...details };
}

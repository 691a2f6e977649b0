/**
 * Keys by which a row or an entry names other sessions (who spawned it, its parent, its children, whoever
 * an open run answers): shown only to whom may know of those sessions. What is hidden is left out, as if
 * it were not there (decision 43).
 */
import { SessionRow } from '@sessions/contracts';
import type { Event } from '@sessions/contracts';
import { isJsonObject, parseSessionKey, patchRawObject, slugAgentId } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';
import { seesAgent } from './scopes';

/** True for a key of which the caller may not know. */
export type IsHidden = (key: string) => boolean;

/** In what a caller sees who is restricted to some agents: keys of the others. */
export function hiddenByScopes(scopes: readonly string[]): IsHidden {
  return (key) => {
    const named = parseSessionKey(key).agentId;
    return named !== undefined && !seesAgent(scopes, slugAgentId(named));
  };
}

/** @param ownAgentId of whom a key is that names no agent */
export function agentOfKey(key: string, ownAgentId: string): string {
  const named = parseSessionKey(key).agentId;
  return named === undefined ? ownAgentId : slugAgentId(named);
}

/** Keys of other sessions that a row names. */
export function linksOfRow({ spawnedBy, parentSessionKey, childSessionKeys }: SessionRow): readonly string[] {
  return [spawnedBy ?? '', parentSessionKey ?? '', ...childSessionKeys].filter((key) => key !== '');
}

/** The same row where nothing in it is hidden. */
export function withShownLinks(row: SessionRow, isHidden: IsHidden): SessionRow {
  if (!linksOfRow(row).some(isHidden)) return row;
  const shown = (key: string | undefined): string | undefined => (key !== undefined && isHidden(key) ? undefined : key);
  return { ...row, spawnedBy: shown(row.spawnedBy), parentSessionKey: shown(row.parentSessionKey), childSessionKeys: row.childSessionKeys.filter((key) => !isHidden(key)) };
}

export function encodedWithShownLinks(encoded: Buffer, isHidden: IsHidden): Buffer {
  const row = SessionRow.decode(encoded);
  const shown = withShownLinks(row, isHidden);
  return shown === row ? encoded : Buffer.from(SessionRow.encode(shown).finish());
}

/** Members that hold a bare key; everywhere else a key names its agent. */
const KEY_MEMBERS: ReadonlySet<string> = new Set(['spawnedBy', 'parentSessionKey']);
/** A value that is nothing but a key. */
const KEY_VALUE = /^agent:[^\s:]+:\S+$/i;

/** Keys that an entry names anywhere. @param entryJson empty for an entry that is too long to be answered */
export function linksOfEntry(entryJson: Buffer): readonly string[] {
  const links = new Set<string>();
  withoutHidden(entryOf(entryJson) ?? {}, (key) => {
    links.add(key);
    return false;
  });
  return [...links];
}

/** The entry's own bytes, but for the members in which something is hidden. */
export function entryWithShownLinks(entryJson: Buffer, isHidden: IsHidden): Buffer {
  const entry = entryOf(entryJson);
  if (entry === undefined) return entryJson;
  const set: Record<string, JsonValue> = {};
  const clear: string[] = [];
  for (const [name, value] of Object.entries(entry)) {
    const shown = shownValue(name, value, isHidden);
    if (shown === undefined) clear.push(name);
    else if (shown !== value) set[name] = shown;
  }
  return clear.length === 0 && Object.keys(set).length === 0 ? entryJson : Buffer.from(patchRawObject(entryJson.toString('utf8'), { set, clear }));
}

function entryOf(entryJson: Buffer): JsonObject | undefined {
  if (entryJson.length === 0) return undefined;
  const entry = JSON.parse(entryJson.toString('utf8')) as JsonValue;
  return isJsonObject(entry) ? entry : undefined;
}

function shownValue(name: string, value: JsonValue | undefined, isHidden: IsHidden): JsonValue | undefined {
  if (typeof value === 'string') return value !== '' && (KEY_MEMBERS.has(name) || KEY_VALUE.test(value)) && isHidden(value) ? undefined : value;
  return typeof value === 'object' && value !== null ? withoutHidden(value, isHidden) : value;
}

/** The same object where nothing in it is hidden. */
function withoutHidden(value: JsonObject | readonly JsonValue[], isHidden: IsHidden): JsonValue {
  const members: (readonly [string, JsonValue | undefined])[] = Array.isArray(value) ? (value as readonly JsonValue[]).map((one) => ['', one]) : Object.entries(value as JsonObject);
  const shown = members.flatMap(([name, one]): (readonly [string, JsonValue])[] => {
    if (KEY_VALUE.test(name) && isHidden(name)) return [];
    const kept = shownValue(name, one, isHidden);
    return kept === undefined ? [] : [[name, kept]];
  });
  if (shown.length === members.length && shown.every(([, one], at) => one === members[at]?.[1])) return value as JsonValue;
  return Array.isArray(value) ? shown.map(([, one]) => one) : Object.fromEntries(shown);
}

/** Keys of other sessions that an event's row names. */
export function linksOfEvent({ body }: Event): readonly string[] {
  if ((body?.$case !== 'message' && body?.$case !== 'changed') || body.value.encodedRow === undefined) return [];
  return linksOfRow(SessionRow.decode(body.value.encodedRow));
}

/** The event with its row shown so. */
export function eventWithShownLinks(event: Event, isHidden: IsHidden): Event {
  const { body } = event;
  if ((body?.$case !== 'message' && body?.$case !== 'changed') || body.value.encodedRow === undefined) return event;
  const encodedRow = encodedWithShownLinks(body.value.encodedRow, isHidden);
  if (encodedRow === body.value.encodedRow) return event;
  return body.$case === 'message' ? { ...event, body: { $case: 'message', value: { ...body.value, encodedRow } } } : { ...event, body: { $case: 'changed', value: { ...body.value, encodedRow } } };
}

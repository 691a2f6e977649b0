/**
 * The smaller entry format of the tutorial beside the native one. An entry keeps the members it has
 * and never loses any: a change of a native member is repeated in the simple member that says the
 * same, and an entry that is only simple stays so. The names that older programs gave to native
 * members are kept in step the same way.
 *
 * Source: the table of the store format's simple entries.
 */
import { parseModelRef } from '../config/agents';
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import { instantOf } from './entry';
import { patchRawObject, readRawMembers, type RawPatch } from './raw-object';
import { LEGACY_NAMES } from './session-entry';

type Members = Readonly<Record<string, JsonValue>>;

/** A change of an entry in native names. */
export interface MemberChange {
  readonly set: Readonly<Record<string, JsonValue | undefined>>;
  readonly clear?: readonly string[];
}

/** Native members that a simple entry says under another name, so they do not enter one that is only simple. */
const CARRIED = new Set([
  'sessionId', 'sessionStartedAt', 'lastInteractionAt', 'updatedAt', 'modelProvider', 'model', 'providerOverride', 'modelOverride', 'groupActivation', 'lastCompactionAt',
  'memoryFlushCompactionCount',
]);
/** Native members that a member of the simple `state` follows from. */
const STATE_SOURCES: readonly (readonly [member: string, sources: readonly string[], say: (native: JsonObject) => JsonValue | undefined])[] = [
  ['model', ['modelProvider', 'model'], (native) => joinModel(native['modelProvider'], native['model'])],
  ['modelOverride', ['providerOverride', 'modelOverride'], (native) => joinModel(native['providerOverride'], native['modelOverride']) ?? null],
  ['activationMode', ['groupActivation'], (native) => native['groupActivation']],
  ['lastCompaction', ['lastCompactionAt'], (native) => isoOf(native['lastCompactionAt']) ?? null],
  ['memoryFlushed', ['memoryFlushCompactionCount', 'compactionCount'], (native) => native['memoryFlushCompactionCount'] !== undefined && native['memoryFlushCompactionCount'] === (native['compactionCount'] ?? 0)],
];

/** The patch of an entry's text, in all the names that the entry has for what changes. */
export function syncedPatch(text: string, change: MemberChange): RawPatch {
  const legacy = withLegacyNames(text, change);
  if (!text.includes('"uuid"')) return legacy;
  const before: unknown = JSON.parse(text);
  if (!isJsonObject(before) || typeof before['uuid'] !== 'string') return legacy;
  const isOnlySimple = !isNative(before);
  const native = applyChange(nativeView(before), change);
  const changed = new Set([...Object.keys(change.set), ...(change.clear ?? [])]);
  const set: Record<string, JsonValue | undefined> = {};
  for (const [name, value] of Object.entries(legacy.set ?? {})) if (!isOnlySimple || !CARRIED.has(name)) set[name] = value;
  const said = simpleMembers(native, changed, (name) => isOnlySimple || before[name] !== undefined);
  const clear = (legacy.clear ?? []).filter((name) => said[name] === undefined);
  const state = stateText(text, native, changed, isOnlySimple || isJsonObject(before['state']));
  return { set: { ...set, ...said }, clear, ...(state === undefined ? {} : { setRaw: new Map([['state', state]]) }) };
}

/**
 * What has to be set in an entry so that its formats keep saying the same; as `syncedPatch`, for
 * callers that clear nothing and need values.
 */
export function syncSimpleMembers(text: string, set: Members): Members {
  const patch = syncedPatch(text, { set });
  const result: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(patch.set ?? {})) if (value !== undefined) result[name] = value;
  for (const [name, raw] of patch.setRaw ?? []) result[name] = JSON.parse(raw) as JsonValue;
  return result;
}

/** The entry that `session.storeFormat: simple` makes of native members; others stand beside its own. */
export function newSimpleEntry(native: Members): JsonObject {
  const all = new Set(Object.keys(native));
  const others = Object.entries(native).filter(([name]) => !CARRIED.has(name));
  const state = stateMembers(native, all);
  return {
    ...simpleMembers(native, all, () => true),
    messageCount: native['messageCount'] ?? 0,
    state: { modelOverride: null, lastCompaction: null, memoryFlushed: false, ...Object.fromEntries(state) },
    ...Object.fromEntries(others.filter(([name]) => name !== 'messageCount')),
  };
}

/**
 * The entry under native names; simple members stay beside them, and a native member that stands in
 * the entry itself wins. Legacy names are read where the newer one is missing.
 */
export function nativeView(members: JsonObject): JsonObject {
  const view = isNative(members) || typeof members['uuid'] !== 'string' ? members : { ...fromSimple(members), ...members };
  const missing = [...LEGACY_NAMES].filter(([legacy, name]) => view[legacy] !== undefined && view[name] === undefined);
  return missing.length === 0 ? view : { ...view, ...Object.fromEntries(missing.map(([legacy, name]) => [name, view[legacy]])) };
}

function isNative(members: JsonObject): boolean {
  return members['sessionId'] !== undefined && members['sessionId'] !== null;
}

function fromSimple(members: JsonObject): JsonObject {
  const state = isJsonObject(members['state']) ? members['state'] : {};
  const active = instantOf(members['lastActive']);
  const isFlushed = state['memoryFlushed'] === true;
  return {
    ...splitModel(state['model'], 'modelProvider', 'model'),
    ...splitModel(state['modelOverride'], 'providerOverride', 'modelOverride'),
    ...(typeof state['activationMode'] === 'string' ? { groupActivation: state['activationMode'] } : {}),
    ...instantMember('lastCompactionAt', state['lastCompaction']),
    ...(isFlushed ? { memoryFlushCompactionCount: members['compactionCount'] ?? 0 } : {}),
    ...instantMember('sessionStartedAt', members['created']),
    ...(active === undefined ? {} : { lastInteractionAt: active, updatedAt: active }),
    ...(members['sessionId'] === null ? {} : { sessionId: members['uuid'] }),
  };
}

function applyChange(native: JsonObject, { set, clear = [] }: MemberChange): JsonObject {
  const after: Record<string, JsonValue | undefined> = { ...native };
  for (const name of clear) after[name] = undefined;
  for (const [name, value] of Object.entries(set)) if (value !== undefined) after[name] = value;
  return after;
}

/** Members of the simple format, `state` apart, for what has changed. */
function simpleMembers(native: JsonObject, changed: ReadonlySet<string>, has: (name: string) => boolean): Record<string, JsonValue | undefined> {
  const result: Record<string, JsonValue | undefined> = {};
  const active = Math.max(...[native['lastInteractionAt'], native['updatedAt']].filter((value) => typeof value === 'number'));
  const candidates: readonly (readonly [name: string, sources: readonly string[], value: JsonValue | undefined])[] = [
    ['uuid', ['sessionId'], native['sessionId']],
    ['created', ['sessionStartedAt'], isoOf(native['sessionStartedAt'])],
    ['lastActive', ['lastInteractionAt', 'updatedAt'], isoOf(active)],
    ['messageCount', ['messageCount'], native['messageCount']],
  ];
  for (const [name, sources, value] of candidates) {
    if (value !== undefined && has(name) && sources.some((source) => changed.has(source))) result[name] = value;
  }
  return result;
}

function stateMembers(native: JsonObject, changed: ReadonlySet<string>): readonly (readonly [string, JsonValue | undefined])[] {
  return STATE_SOURCES.filter(([, sources]) => sources.some((source) => changed.has(source))).map(([name, , say]) => [name, say(native)] as const);
}

/** The text of `state` after a change, its other members untouched; undefined when nothing of it changes. */
function stateText(text: string, native: JsonObject, changed: ReadonlySet<string>, mayHold: boolean): string | undefined {
  const members = stateMembers(native, changed);
  if (!mayHold || members.length === 0) return undefined;
  const before = readRawMembers(text).findLast(({ name }) => name === 'state');
  const raw = before === undefined ? '' : text.slice(before.valueStart, before.valueEnd);
  const set = Object.fromEntries(members.filter(([, value]) => value !== undefined));
  const clear = members.filter(([, value]) => value === undefined).map(([name]) => name);
  if (raw.startsWith('{') && raw.includes('"')) return patchRawObject(raw, { set, clear });
  return JSON.stringify(set, null, 2).replaceAll('\n', '\n    ');
}

/** The same change under the older names too, where the entry has them. */
function withLegacyNames(text: string, { set, clear = [] }: MemberChange): RawPatch {
  const touched = [...LEGACY_NAMES].filter(([, name]) => set[name] !== undefined || clear.includes(name));
  if (touched.length === 0) return { set, clear };
  const names = new Set(readRawMembers(text).map((member) => member.name));
  const present = touched.filter(([legacy]) => names.has(legacy));
  const setLegacy = present.filter(([, name]) => set[name] !== undefined).map(([legacy, name]) => [legacy, set[name]] as const);
  const clearLegacy = present.filter(([, name]) => set[name] === undefined).map(([legacy]) => legacy);
  return { set: { ...set, ...Object.fromEntries(setLegacy) }, clear: [...clear, ...clearLegacy] };
}

function joinModel(provider: JsonValue | undefined, model: JsonValue | undefined): JsonValue | undefined {
  return typeof provider === 'string' && typeof model === 'string' ? `${provider}/${model}` : model;
}

function splitModel(value: JsonValue | undefined, providerName: string, modelName: string): JsonObject {
  if (typeof value !== 'string' || value === '') return {};
  const { provider, model } = parseModelRef(value);
  return provider === undefined ? { [modelName]: model } : { [providerName]: provider, [modelName]: model };
}

function instantMember(name: string, value: JsonValue | undefined): JsonObject {
  const at = instantOf(value);
  return at === undefined ? {} : { [name]: at };
}

/** Last instant that a Date can hold. */
const INSTANT_MAX = 8.64e15;

function isoOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'number' && Math.abs(value) <= INSTANT_MAX ? new Date(value).toISOString() : undefined;
}

/**
 * The smaller entry format of the tutorial beside the native one. An entry keeps the members it has
 * and never loses any: a change of a native member is repeated in the simple member that says the
 * same, where the entry has one, and the other way round; an entry that is only simple stays so.
 *
 * Source: the table of the store format's simple entries.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';

type Members = Readonly<Record<string, JsonValue>>;

/** Native members that stand in a simple entry under another name. */
const SIMPLE_NAMES = ['sessionId', 'sessionStartedAt', 'lastInteractionAt', 'updatedAt', 'messageCount'] as const;
/** Native members that stand inside the simple entry's `state`. */
const STATE_MEMBERS = ['modelProvider', 'model', 'providerOverride', 'modelOverride', 'groupActivation', 'lastCompactionAt'] as const;

/**
 * What has to be set in an entry so that its two formats keep saying the same.
 * @param text the entry as it stands.
 * @param set native members that change.
 */
export function syncSimpleMembers(text: string, set: Members): Members {
  if (!text.includes('"uuid"')) return set;
  const before: unknown = JSON.parse(text);
  if (!isJsonObject(before) || typeof before['uuid'] !== 'string') return set;
  const isOnlySimple = typeof before['sessionId'] !== 'string';
  const result: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(set)) {
    if (!isOnlySimple || !isCarriedBySimple(name)) result[name] = value;
  }
  addSimple(result, set, before);
  const state = stateAfter(before, set);
  if (state !== undefined) result['state'] = state;
  return result;
}

function isCarriedBySimple(name: string): boolean {
  return (SIMPLE_NAMES as readonly string[]).includes(name) || (STATE_MEMBERS as readonly string[]).includes(name);
}

function addSimple(result: Record<string, JsonValue>, set: Members, before: JsonObject): void {
  if (set['sessionId'] !== undefined) result['uuid'] = set['sessionId'];
  const startedAt = iso(set['sessionStartedAt']);
  if (startedAt !== undefined && before['created'] !== undefined) result['created'] = startedAt;
  const activeAt = iso(set['lastInteractionAt'] ?? set['updatedAt']);
  if (activeAt !== undefined) result['lastActive'] = activeAt;
  if (set['messageCount'] !== undefined && before['messageCount'] !== undefined) result['messageCount'] = set['messageCount'];
}

function stateAfter(before: JsonObject, set: Members): JsonObject | undefined {
  if (!STATE_MEMBERS.some((name) => set[name] !== undefined)) return undefined;
  const state: Record<string, JsonValue | undefined> = { ...(isJsonObject(before['state']) ? before['state'] : {}) };
  if (set['model'] !== undefined) state['model'] = joinModel(set['modelProvider'] ?? before['modelProvider'], set['model']);
  if (set['modelOverride'] !== undefined) state['modelOverride'] = joinModel(set['providerOverride'] ?? before['providerOverride'], set['modelOverride']);
  if (set['groupActivation'] !== undefined) state['activationMode'] = set['groupActivation'];
  if (set['lastCompactionAt'] !== undefined) state['lastCompaction'] = iso(set['lastCompactionAt']) ?? null;
  return state;
}

function joinModel(provider: JsonValue | undefined, model: JsonValue): JsonValue {
  return typeof provider === 'string' && typeof model === 'string' ? `${provider}/${model}` : model;
}

function iso(value: JsonValue | undefined): string | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? new Date(value).toISOString() : undefined;
}

/** Native members that a simple entry stands for; its own members stay beside them. */
export function nativeView(members: JsonObject): JsonObject {
  if (typeof members['sessionId'] === 'string' || typeof members['uuid'] !== 'string') return members;
  const state = isJsonObject(members['state']) ? members['state'] : {};
  const active = instant(members['lastActive']);
  return {
    ...splitModel(state['model'], 'modelProvider', 'model'),
    ...splitModel(state['modelOverride'], 'providerOverride', 'modelOverride'),
    ...(typeof state['activationMode'] === 'string' ? { groupActivation: state['activationMode'] } : {}),
    ...(instant(state['lastCompaction']) === undefined ? {} : { lastCompactionAt: instant(state['lastCompaction']) }),
    ...(instant(members['created']) === undefined ? {} : { sessionStartedAt: instant(members['created']) }),
    ...(active === undefined ? {} : { lastInteractionAt: active, updatedAt: active }),
    sessionId: members['uuid'],
    ...members,
  };
}

function splitModel(value: JsonValue | undefined, providerName: string, modelName: string): JsonObject {
  if (typeof value !== 'string' || value === '') return {};
  const slash = value.indexOf('/');
  return slash > 0 ? { [providerName]: value.slice(0, slash), [modelName]: value.slice(slash + 1) } : { [modelName]: value };
}

function instant(value: JsonValue | undefined): number | undefined {
  if (typeof value !== 'string') return undefined;
  const parsed = Date.parse(value);
  return Number.isFinite(parsed) ? parsed : undefined;
}

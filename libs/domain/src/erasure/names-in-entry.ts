/**
 * Where in an entry, or in an answer that is kept, a text can be somebody's name at all. Ids are short, and
 * may be any word: a person who is called `to`, `default` or `42` is no member, no account and no topic.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';

/** What stands around a text. */
export interface Surroundings {
  /** That it is of, where something says so. */
  readonly channel?: string | undefined;
  /** The group that it is of, by its id. */
  readonly place?: string | undefined;
  /** No id of a person stands here: only keys and ids of sessions are looked for. */
  readonly isWord?: boolean;
  /** The member whose value it is. */
  readonly member?: string;
}

/** Whether a whole text names the subject. */
export type NameTest = (text: string, around?: Surroundings) => boolean;

export interface EntryCleansing {
  readonly set: Readonly<Record<string, JsonValue>>;
  readonly clear: readonly string[];
}

/** Members whose values are words of ours or of channels and models: nobody at all stands there. */
const WORD_MEMBERS: ReadonlySet<string> = new Set(['status', 'chatType', 'channel', 'lastChannel', 'provider', 'surface', 'model', 'modelProvider', 'modelOverride', 'providerOverride', 'modelOverrideSource', 'sendPolicy', 'groupActivation', 'queueMode', 'queueDrop', 'thinkingLevel', 'method', 'reason', 'role', 'outcome', 'state', 'type', 'kind', 'originKind', 'agentId']);

/** Further words, ids of what is nobody, and what was said: a key or an id of a session may stand there, but no person. */
const NO_PERSONS: ReadonlySet<string> = new Set([
  ...['accountId', 'lastAccountId', 'threadId', 'lastThreadId', 'thread', 'topicId', 'messageId', 'replyToMessageId', 'guildId', 'teamId', 'groupChannel', 'space', 'runId', 'deliveryId', 'jobId', 'hookId', 'nodeId', 'leafId'],
  ...['lastResetReason', 'reset', 'ignoredReason', 'source', 'cleanup', 'subagentRole', 'subagentControlScope', 'spawnMode', 'verboseLevel', 'traceLevel', 'reasoningLevel', 'elevatedLevel', 'fastMode', 'responseUsage', 'execHost', 'execSecurity', 'execAsk', 'execNode', 'ttsAuto', 'authProfileOverride', 'authProfileOverrideSource', 'cliBackend', 'api', 'code', 'stopReason'],
  ...['text', 'content', 'summary', 'prompt', 'task', 'instructions'],
  ...['systemPromptReport', 'skillsSnapshot', 'inheritedToolAllow', 'inheritedToolDeny'],
]);

/** The name of a member as programs write them; ids that are keys of a map have figures, signs or a channel before them. */
const MEMBER_WORD = /^[a-z]+(?:[A-Z][a-z0-9]*)*$/;
const GROUP_TYPES: ReadonlySet<unknown> = new Set(['group', 'channel']);

/** @returns what stands around the members of an object */
export function surroundingsIn(object: Readonly<Record<string, unknown>>, outer: Surroundings = {}): Surroundings {
  const channel = ['channel', 'lastChannel', 'surface'].map((member) => object[member]).find((value): value is string => typeof value === 'string' && value !== '');
  const place = placeOf(object);
  return { ...outer, ...(channel === undefined ? {} : { channel }), ...(place === undefined ? {} : { place }) };
}

/** In a session of many, answers go to the place: its id may be a person's elsewhere. */
function placeOf({ groupId, chatType, to, origin }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof groupId === 'string' && groupId !== '') return groupId;
  if (GROUP_TYPES.has(chatType) && typeof to === 'string' && to !== '') return to;
  return isJsonObject(origin) ? placeOf(origin) : undefined;
}

/** The name of a member names the subject. */
export function isMemberNamed(member: string, around: Surroundings, names: NameTest): boolean {
  const { member: _, ...rest } = around;
  return names(member, MEMBER_WORD.test(member) ? { ...rest, isWord: true } : rest);
}

/** @returns what stands around the value of a member; undefined where nothing is looked for */
export function surroundingsOf(member: string, value: unknown, around: Surroundings): Surroundings | undefined {
  if (typeof value === 'string' && WORD_MEMBERS.has(member)) return undefined;
  const isWord = NO_PERSONS.has(member) || (typeof value === 'string' && isPlace(value, around));
  return { ...around, member, ...(isWord ? { isWord } : {}) };
}

function isPlace(text: string, { place }: Surroundings): boolean {
  return place !== undefined && (text === place || text.endsWith(`id:${place}`));
}

/** What leaves another session's entry: members, list items and nested members whose text names the subject. Undefined: nothing. */
export function cleansingOf(entry: JsonObject, names: NameTest): EntryCleansing | undefined {
  const set: Record<string, JsonValue> = {};
  const clear: string[] = [];
  for (const [member, value] of Object.entries(entry)) {
    if (value === undefined) continue;
    const around = surroundingsOf(member, value, surroundingsIn(entry));
    if (around === undefined) continue;
    const left = without(value, names, around);
    if (left === undefined) clear.push(member);
    else if (left !== value) set[member] = left;
  }
  return clear.length === 0 && Object.keys(set).length === 0 ? undefined : { set, clear };
}

/** The value itself where nothing in it names the subject; undefined where it does as a whole. */
function without(value: JsonValue, names: NameTest, outer: Surroundings): JsonValue | undefined {
  if (typeof value === 'string') return names(value, outer) ? undefined : value;
  if (Array.isArray(value)) {
    const items = value as readonly JsonValue[];
    const left = items.map((item) => without(item, names, outer)).filter((item) => item !== undefined);
    return left.length === items.length && left.every((item, index) => item === items[index]) ? value : left;
  }
  if (!isJsonObject(value)) return value;
  const here = surroundingsIn(value, outer);
  const left: Record<string, JsonValue> = {};
  let changed = false;
  for (const [member, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    const around = surroundingsOf(member, inner, here);
    const kept = around === undefined ? inner : isMemberNamed(member, here, names) ? undefined : without(inner, names, around);
    if (kept !== undefined) left[member] = kept;
    if (kept !== inner) changed = true;
  }
  return changed ? left : value;
}

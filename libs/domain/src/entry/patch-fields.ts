/**
 * `sessions.patch`: which fields a client may change, the values each takes, and the members of the
 * entry that a change sets or clears. Field names, values, their synonyms and the refusals are those
 * of the measured gateway. Every field takes null, which clears it; absent fields stay as they are.
 */
import type { ModelRef } from '../config/agents';
import { SessionError } from '../errors';
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import { keyRest } from '../keys/key-kind';
import { CHOICE_FIELDS, THINKING_RANKS, THINKING_SYNONYMS, type ChoiceField } from './patch-choices';
import { planModelChoice } from './patch-model';

/** Longest label, in UTF-16 units. */
export const LABEL_LENGTH_MAX = 512;

export interface PatchFacts {
  /** Key of the entry as stored. */
  readonly key: string;
  /** The agent's own model; choosing it clears the override. */
  readonly defaultModel: ModelRef | undefined;
  /** Key of the entry that has the wanted label now; undefined: nobody. */
  readonly labelOwner: string | undefined;
  /** Thinking levels that a model takes, lowest first. Absent: nobody knows, every level is taken. */
  readonly thinkingLevels?: (model: ModelRef | undefined) => readonly string[];
}

export interface EntryPatch {
  readonly set: Readonly<Record<string, JsonValue>>;
  readonly clear: readonly string[];
}

/** Set once, on sessions that another session made. */
const SPAWN_TEXTS: ReadonlySet<string> = new Set(['spawnedBy', 'spawnedWorkspaceDir', 'spawnedCwd']);
const SPAWN_WORDS: Readonly<Record<string, readonly [string, string]>> = {
  subagentRole: ['orchestrator', 'leaf'],
  subagentControlScope: ['children', 'none'],
};
const SPAWN_LISTS: ReadonlySet<string> = new Set(['inheritedToolAllow', 'inheritedToolDeny']);

/** Every field that a patch may carry. */
export const PATCH_FIELDS: readonly string[] = [
  'label', 'thinkingLevel', 'fastMode', ...Object.keys(CHOICE_FIELDS), 'execNode', 'model',
  'spawnedBy', 'spawnDepth', ...Object.keys(SPAWN_WORDS), 'spawnedWorkspaceDir', 'spawnedCwd', ...SPAWN_LISTS,
];

interface Plan {
  readonly set: Record<string, JsonValue>;
  readonly clear: Set<string>;
}

/**
 * What a patch does to an entry. The time of the change is the caller's to set.
 * @param fields members of the request that name patchable fields.
 * @param current the entry's members under native names; undefined for a key without an entry.
 * @throws VALIDATION with the measured sentence; LABEL_IN_USE.
 */
export function planEntryPatch(fields: JsonObject, current: JsonObject | undefined, facts: PatchFacts): EntryPatch {
  const plan: Plan = { set: {}, clear: new Set() };
  for (const [field, value] of Object.entries(fields)) {
    if (value !== undefined && field !== 'thinkingLevel') planField(field, value, current, facts, plan);
  }
  // Last, because what a model can take depends on the model that the patch leaves.
  planThinking(fields['thinkingLevel'], fields['model'] !== undefined, current, facts, plan);
  return { set: plan.set, clear: [...plan.clear] };
}

function planField(field: string, value: JsonValue, current: JsonObject | undefined, facts: PatchFacts, plan: Plan): void {
  const choice = Object.hasOwn(CHOICE_FIELDS, field) ? CHOICE_FIELDS[field] : undefined;
  if (field === 'label') planLabel(value, facts, plan);
  else if (field === 'model') planModel(value, current, facts, plan);
  else if (field === 'spawnDepth' || SPAWN_TEXTS.has(field) || Object.hasOwn(SPAWN_WORDS, field) || SPAWN_LISTS.has(field)) planSpawnField(field, value, current, facts, plan);
  else if (choice === undefined && field !== 'fastMode' && field !== 'execNode') throw invalid(field, `unexpected property '${field.slice(0, 64)}'`);
  else if (value === null) plan.clear.add(field);
  else if (field === 'execNode') plan.set[field] = requireText(field, value);
  else if (field === 'fastMode') plan.set[field] = parseFastMode(value);
  else if (choice !== undefined) planChoice(field, value, choice, plan);
}

function planLabel(value: JsonValue, facts: PatchFacts, plan: Plan): void {
  if (value === null) {
    plan.clear.add('label');
    return;
  }
  const label = parseLabel(value);
  if (facts.labelOwner !== undefined && facts.labelOwner !== facts.key) throw labelInUse(label);
  plan.set['label'] = label;
}

/** @throws VALIDATION for what is no text, and for an empty or too long label. */
export function parseLabel(value: JsonValue): string {
  if (typeof value !== 'string') throw invalid('label', 'invalid label: must be a string');
  const label = value.trim();
  if (label === '') throw invalid('label', 'invalid label: empty');
  if (label.length > LABEL_LENGTH_MAX) throw invalid('label', `invalid label: too long (max ${LABEL_LENGTH_MAX})`);
  return label;
}

/** The refusal of a label that another session of the store has. */
export function labelInUse(label: string): SessionError {
  return new SessionError('LABEL_IN_USE', `label already in use: ${label}`);
}

function planModel(value: JsonValue, current: JsonObject | undefined, facts: PatchFacts, plan: Plan): void {
  const choice = planModelChoice(value === null ? null : requireText('model', value), current ?? {}, facts.defaultModel);
  Object.assign(plan.set, choice.set);
  for (const name of choice.clear) plan.clear.add(name);
}

function planThinking(value: JsonValue | undefined, modelChanges: boolean, current: JsonObject | undefined, facts: PatchFacts, plan: Plan): void {
  if (value === null) {
    plan.clear.add('thinkingLevel');
    return;
  }
  const model = modelAfter(current, facts, plan);
  const offered = facts.thinkingLevels?.(model);
  if (value === undefined) {
    const stored = modelChanges ? asText(current?.['thinkingLevel']) : undefined;
    const lowered = stored === undefined || offered === undefined ? undefined : nearestLevel(stored, offered);
    if (lowered !== undefined) plan.set['thinkingLevel'] = lowered;
    return;
  }
  const word = typeof value === 'string' ? value.trim().toLowerCase() : '';
  const level = THINKING_SYNONYMS.get(word);
  if (level === undefined) throw invalid('thinkingLevel', `invalid thinkingLevel (use ${(offered ?? THINKING_RANKS.slice(0, 5)).join('|')})`);
  if (offered !== undefined && !offered.includes(level)) {
    const name = [model?.provider, model?.model].filter((part) => part !== undefined).join('/');
    throw invalid('thinkingLevel', `thinkingLevel "${level}" is not supported for ${name} (use ${offered.join('|')})`);
  }
  plan.set['thinkingLevel'] = level;
}

/** The highest offered level that is not above the stored one; undefined when that one is offered, or none is known. */
function nearestLevel(stored: string, offered: readonly string[]): string | undefined {
  if (offered.includes(stored)) return undefined;
  const rank = THINKING_RANKS.indexOf(stored);
  return offered.filter((level) => THINKING_RANKS.indexOf(level) <= rank).at(-1);
}

function modelAfter(current: JsonObject | undefined, facts: PatchFacts, plan: Plan): ModelRef | undefined {
  const after = (name: string): string | undefined => (plan.clear.has(name) ? undefined : asText(plan.set[name] ?? current?.[name]));
  const model = after('modelOverride');
  return model === undefined ? facts.defaultModel : { provider: after('providerOverride') ?? facts.defaultModel?.provider, model };
}

function planSpawnField(field: string, value: JsonValue, current: JsonObject | undefined, facts: PatchFacts, plan: Plan): void {
  const before = current?.[field];
  const isSet = before !== undefined && before !== null && before !== '';
  if (value === null) {
    if (isSet) throw invalid(field, `${field} cannot be cleared once set`);
    return;
  }
  if (SPAWN_TEXTS.has(field)) requireText(field, value);
  if (SPAWN_LISTS.has(field) && !Array.isArray(value)) throw invalid(field, `invalid ${field} (use an array of tool names)`);
  if (!/^(subagent|acp):/.test(keyRest(facts.key))) throw invalid(field, `${field} is only supported for subagent:* or acp:* sessions`);
  const wanted = spawnValue(field, value);
  if (isSet && JSON.stringify(before) !== JSON.stringify(wanted)) throw invalid(field, `${field} cannot be changed once set`);
  if (Array.isArray(wanted) && wanted.length === 0) return;
  plan.set[field] = wanted;
}

function spawnValue(field: string, value: JsonValue): JsonValue {
  if (Array.isArray(value)) {
    const names = (value as readonly JsonValue[]).flatMap((name) => (typeof name === 'string' && name.trim() !== '' ? [name.trim()] : []));
    return [...new Set(names)];
  }
  if (field === 'spawnDepth') {
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw invalid(field, 'invalid spawnDepth (use an integer >= 0)');
    return value;
  }
  const words = SPAWN_WORDS[field];
  if (words === undefined) return requireText(field, value);
  const word = typeof value === 'string' ? value.trim().toLowerCase() : '';
  if (!words.includes(word)) throw invalid(field, `invalid ${field} (use "${words[0]}" or "${words[1]}")`);
  return word;
}

function planChoice(field: string, value: JsonValue, choice: ChoiceField, plan: Plan): void {
  const word = typeof value === 'string' ? value.trim().toLowerCase() : undefined;
  const wanted = word === undefined ? undefined : choice.meanings.get(word);
  if (wanted === undefined) throw invalid(field, `invalid ${field} (use ${choice.offered.map((name) => `"${name}"`).join('|')})`);
  if (wanted === choice.clearedBy) plan.clear.add(field);
  else plan.set[field] = wanted;
}

const FAST_WORDS: ReadonlyMap<string, boolean | 'auto'> = new Map<string, boolean | 'auto'>([
  ...['on', 'true', 'yes', '1', 'enable', 'enabled', 'fast'].map((word) => [word, true] as const),
  ...['off', 'false', 'no', '0', 'disable', 'disabled', 'normal'].map((word) => [word, false] as const),
  ['auto', 'auto'],
]);

function parseFastMode(value: JsonValue): JsonValue {
  const wanted = typeof value === 'boolean' ? value : typeof value === 'string' ? FAST_WORDS.get(value.trim().toLowerCase()) : undefined;
  if (wanted === undefined) throw invalid('fastMode', 'invalid fastMode (use true, false, or "auto")');
  return wanted;
}

function requireText(field: string, value: JsonValue): string {
  const text = typeof value === 'string' ? value.trim() : '';
  if (text === '') throw invalid(field, `invalid ${field}: empty`);
  return text;
}

function asText(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function invalid(field: string, message: string): SessionError {
  return new SessionError('VALIDATION', message, { facts: { field: field.slice(0, 64) } });
}

/** Members of an entry's text, for a patch; undefined when the text is no object. */
export function entryMembers(text: string): JsonObject | undefined {
  const value: unknown = JSON.parse(text);
  return isJsonObject(value) ? value : undefined;
}

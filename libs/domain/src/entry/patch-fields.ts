/**
 * `sessions.patch`: which fields a client may change, the values each takes, and the members of the
 * entry that a change sets or clears. Field names, values and refusals are those of the measured
 * gateway. Every field takes null, which clears it; absent fields stay as they are.
 */
import { parseModelRef, type ModelRef } from '../config/agents';
import { SessionError } from '../errors';
import { isJsonObject, type JsonObject, type JsonValue } from '../json';

/** Longest label, in UTF-16 units. */
export const LABEL_LENGTH_MAX = 512;

export interface PatchFacts {
  /** Key of the entry as stored. */
  readonly key: string;
  /** The agent's own model; choosing it clears the override. */
  readonly defaultModel: ModelRef | undefined;
  /** Key of the entry that has the wanted label now; undefined: nobody. */
  readonly labelOwner: string | undefined;
}

export interface EntryPatch {
  readonly set: Readonly<Record<string, JsonValue>>;
  readonly clear: readonly string[];
}

/** Fields with a fixed set of values, in the order of the page. */
const CHOICES: Readonly<Record<string, readonly (string | boolean)[]>> = {
  thinkingLevel: ['off', 'minimal', 'low', 'medium', 'high', 'xhigh', 'adaptive', 'max'],
  fastMode: [true, false, 'auto'],
  verboseLevel: ['on', 'off', 'full'],
  traceLevel: ['on', 'off', 'raw'],
  reasoningLevel: ['on', 'off', 'stream'],
  responseUsage: ['off', 'tokens', 'full', 'on'],
  elevatedLevel: ['on', 'off', 'ask', 'full'],
  execHost: ['auto', 'sandbox', 'gateway', 'node'],
  execSecurity: ['deny', 'allowlist', 'full'],
  execAsk: ['off', 'on-miss', 'always'],
  sendPolicy: ['allow', 'deny'],
  groupActivation: ['mention', 'always'],
};

/** Set once, on sessions that another session made. */
const SPAWN_FIELDS: Readonly<Record<string, (value: JsonValue) => boolean>> = {
  spawnedBy: isText,
  spawnDepth: (value) => Number.isInteger(value) && (value as number) >= 0,
  subagentRole: (value) => value === 'orchestrator' || value === 'leaf',
  subagentControlScope: (value) => value === 'children' || value === 'none',
  spawnedWorkspaceDir: isText,
  spawnedCwd: isText,
  inheritedToolAllow: isTextList,
  inheritedToolDeny: isTextList,
};

/** Every field that a patch may carry. */
export const PATCH_FIELDS: readonly string[] = ['label', ...Object.keys(CHOICES), 'execNode', 'model', ...Object.keys(SPAWN_FIELDS)];

/**
 * What a patch does to an entry.
 * @param fields members of the request that name patchable fields.
 * @param current the entry's members; undefined for a key without an entry.
 * @throws VALIDATION naming the field, its values and the value given; LABEL_IN_USE.
 */
export function planEntryPatch(fields: JsonObject, current: JsonObject | undefined, facts: PatchFacts): EntryPatch {
  const set: Record<string, JsonValue> = {};
  const clear: string[] = [];
  for (const [field, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (field === 'label') planLabel(value, facts, set, clear);
    else if (field === 'model') planModel(value, facts, set, clear);
    else if (SPAWN_FIELDS[field] !== undefined) planSpawnField(field, value, current, facts, set);
    else if (value === null) clear.push(field);
    else if (field === 'execNode') set[field] = requireText(field, value);
    else planChoice(field, value, set, clear);
  }
  return { set, clear };
}

function planLabel(value: JsonValue, facts: PatchFacts, set: Record<string, JsonValue>, clear: string[]): void {
  if (value === null) {
    clear.push('label');
    return;
  }
  const label = parseLabel(value);
  if (facts.labelOwner !== undefined && facts.labelOwner !== facts.key) throw labelInUse(label);
  set['label'] = label;
}

/** @throws VALIDATION for an empty or too long label. */
export function parseLabel(value: JsonValue): string {
  const label = typeof value === 'string' ? value.trim() : '';
  if (label === '') throw invalid('invalid label: empty', { field: 'label' });
  if (label.length > LABEL_LENGTH_MAX) throw invalid(`invalid label: too long (max ${LABEL_LENGTH_MAX})`, { field: 'label', length: label.length });
  return label;
}

/** The refusal of a label that another session of the store has. */
export function labelInUse(label: string): SessionError {
  return new SessionError('LABEL_IN_USE', `label already in use: ${label}`);
}

const OVERRIDE_MEMBERS = ['providerOverride', 'modelOverride', 'modelOverrideSource', 'liveModelSwitchPending'] as const;

function planModel(value: JsonValue, facts: PatchFacts, set: Record<string, JsonValue>, clear: string[]): void {
  const wanted = value === null ? undefined : parseModelRef(requireText('model', value));
  const { defaultModel } = facts;
  const provider = wanted?.provider ?? defaultModel?.provider;
  if (wanted === undefined || (defaultModel !== undefined && wanted.model === defaultModel.model && provider === defaultModel.provider)) {
    clear.push(...OVERRIDE_MEMBERS);
    return;
  }
  set['modelOverride'] = wanted.model;
  set['modelOverrideSource'] = 'user';
  set['liveModelSwitchPending'] = true;
  if (provider === undefined) clear.push('providerOverride');
  else set['providerOverride'] = provider;
}

function planSpawnField(field: string, value: JsonValue, current: JsonObject | undefined, facts: PatchFacts, set: Record<string, JsonValue>): void {
  const rest = facts.key.replace(/^agent:[^:]*:/, '');
  if (!rest.startsWith('subagent:') && !rest.startsWith('acp:')) throw invalid(`${field} is only supported for subagent:* or acp:* sessions`, { field });
  const before = current?.[field];
  if (value === null) {
    if (before !== undefined) throw invalid(`${field} cannot be cleared once set`, { field });
    return;
  }
  if (SPAWN_FIELDS[field]?.(value) !== true) throw invalid(`invalid ${field}`, { field });
  if (before !== undefined && JSON.stringify(before) !== JSON.stringify(value)) throw invalid(`${field} cannot be changed once set`, { field });
  set[field] = value;
}

function planChoice(field: string, value: JsonValue, set: Record<string, JsonValue>, clear: string[]): void {
  const choices = CHOICES[field];
  if (choices === undefined) throw invalid(`unknown field ${field}`, { field });
  const wanted = typeof value === 'string' ? value.trim().toLowerCase() : value;
  if (!choices.includes(wanted as string | boolean)) throw invalid(`invalid ${field} (use ${choices.join('|')})`, { field });
  if (field === 'responseUsage' && wanted === 'off') clear.push(field);
  else set[field] = field === 'responseUsage' && wanted === 'on' ? 'tokens' : (wanted as JsonValue);
}

function requireText(field: string, value: JsonValue): string {
  if (!isText(value)) throw invalid(`invalid ${field}: empty`, { field });
  return (value as string).trim();
}

function isText(value: JsonValue): boolean {
  return typeof value === 'string' && value.trim() !== '';
}

function isTextList(value: JsonValue): boolean {
  return Array.isArray(value) && value.every((item: JsonValue) => typeof item === 'string');
}

function invalid(message: string, facts: Record<string, string | number>): SessionError {
  return new SessionError('VALIDATION', message, { facts });
}

/** Members of an entry's text, for a patch; undefined when the text is no object. */
export function entryMembers(text: string): JsonObject | undefined {
  const value: unknown = JSON.parse(text);
  return isJsonObject(value) ? value : undefined;
}

/** Changes of single fields of an entry, as requests carry them, judged against what is stored. */
import type { FieldChange } from '@sessions/contracts';
import { PATCH_FIELDS, SessionError, planEntryPatch, type EntryPatch, type JsonObject, type JsonValue, type ModelRef } from '@sessions/domain';
import type { MutationView } from '@sessions/store';

/** Name of a field -> its new value; null removes it. */
export type FieldPatch = Readonly<Record<string, JsonValue>>;

/** Fields that one request may change. */
export const FIELD_CHANGES_MAX = 100;

/** Members of the entry that a patch may name beside the fields of the gateway's method. */
const MEMBERS: ReadonlySet<string> = new Set([
  'providerOverride', 'modelOverride', 'modelOverrideSource', 'liveModelSwitchPending', 'authProfileOverride', 'agentRuntimeOverride',
  'queueMode', 'queueDebounceMs', 'queueCap', 'queueDrop', 'displayName', 'subject', 'cleanup', 'archiveAt', 'pluginExtensions',
  'boundSession', 'threadBinding', 'yieldingRun',
]);

const FIELDS: ReadonlySet<string> = new Set(PATCH_FIELDS);

/** @throws VALIDATION for JSON that is none, a field named twice or one that may not be patched. */
export function readFieldChanges(changes: readonly FieldChange[]): FieldPatch {
  if (changes.length > FIELD_CHANGES_MAX) throw invalid(`a patch names at most ${String(FIELD_CHANGES_MAX)} fields`);
  const patch: Record<string, JsonValue> = {};
  for (const { name, valueJson } of changes) {
    if (!FIELDS.has(name) && !MEMBERS.has(name)) throw invalid(`the field ${JSON.stringify(name.slice(0, 64))} cannot be patched`);
    if (Object.hasOwn(patch, name)) throw invalid(`the field ${name} is named twice`);
    patch[name] = valueJson === undefined ? null : parseValue(name, valueJson);
  }
  return patch;
}

function parseValue(name: string, bytes: Uint8Array): JsonValue {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonValue;
  } catch {
    throw invalid(`the value of ${name} is not valid JSON`);
  }
}

export interface ChangeFacts {
  /** As stored. */
  readonly key: string;
  /** Members with native names; empty for an entry that is being made. */
  readonly present: JsonObject;
  readonly view: MutationView;
  /** Choosing it clears the override. */
  readonly defaultModel?: ModelRef | undefined;
}

/** @throws VALIDATION, LABEL_IN_USE */
export function fieldChange(patch: FieldPatch, { key, present, view, defaultModel }: ChangeFacts): EntryPatch {
  const fields = Object.fromEntries(Object.entries(patch).filter(([name]) => FIELDS.has(name)));
  const members = Object.entries(patch).filter(([name]) => !FIELDS.has(name));
  const label = fields['label'];
  const labelOwner = typeof label === 'string' ? view.keyOfLabel(label.trim()) : undefined;
  const planned = planEntryPatch(fields, present, { key, defaultModel, labelOwner });
  return {
    set: { ...planned.set, ...Object.fromEntries(members.filter(([, value]) => value !== null)) },
    clear: [...planned.clear, ...members.filter(([, value]) => value === null).map(([name]) => name)],
  };
}

function invalid(message: string): SessionError {
  return new SessionError('VALIDATION', message);
}

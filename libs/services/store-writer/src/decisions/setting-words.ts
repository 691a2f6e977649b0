/** Words of `/queue` and `/exec` as fields of the entry, and what they answer. Pure. */
import { parseDuration, type JsonObject, type JsonValue } from '@sessions/domain';
import type { FieldPatch } from './field-patch';
import type { QueueSettings } from './queue-run';
import { DEBOUNCE_MS_MAX } from './quiet-time';

export const EXEC_USAGE = '/exec host=auto|sandbox|gateway|node security=deny|allowlist|full ask=off|on-miss|always node=<id>, or /exec default';
export const QUEUE_USAGE = '/queue steer|followup|collect|interrupt|default [debounce:<duration, at most 10m>] [cap:<count>] [drop:old|new|summarize]';

/** Words of people and of older clients for one mode each. */
const MODES: ReadonlyMap<string, QueueSettings['mode']> = new Map([
  ...(['steer', 'followup', 'collect', 'interrupt'] as const).map((mode) => [mode, mode] as const),
  ['steering', 'steer'], ['follow-ups', 'followup'], ['followups', 'followup'], ['coalesce', 'collect'], ['interrupts', 'interrupt'], ['abort', 'interrupt'],
]);
const DROPS: ReadonlyMap<string, QueueSettings['drop']> = new Map([['old', 'old'], ['oldest', 'old'], ['new', 'new'], ['newest', 'new'], ['summarize', 'summarize'], ['summary', 'summarize']]);
const BACK_TO_DEFAULT = ['default', 'inherit', 'reset', 'clear'];
const UNSET = { queueMode: null, queueDebounceMs: null, queueCap: null, queueDrop: null } as const;
const CAP = /^[1-9][0-9]{0,3}$/;

/** Only what is named changes: a mode, options, or both. @returns undefined for words that are none */
export function readQueueWords(text: string): FieldPatch | undefined {
  const words = text.toLowerCase().split(/\s+/);
  const [first = '', ...options] = words;
  if (BACK_TO_DEFAULT.includes(first)) return options.length === 0 ? UNSET : undefined;
  const mode = MODES.get(first);
  const fields: Record<string, JsonValue> = mode === undefined ? {} : { queueMode: mode };
  for (const option of mode === undefined ? words : options) {
    const [, name = '', value = ''] = /^([a-z]+)[:=](.*)$/.exec(option) ?? [];
    const read = OPTIONS.get(name)?.(value);
    if (read === undefined) return undefined;
    Object.assign(fields, read);
  }
  return fields;
}

const OPTIONS: ReadonlyMap<string, (value: string) => FieldPatch | undefined> = new Map<string, (value: string) => FieldPatch | undefined>([
  ['debounce', (value) => {
    const read = parseDuration(value, 'ms');
    return read.ok && read.value <= DEBOUNCE_MS_MAX ? { queueDebounceMs: read.value } : undefined;
  }],
  ['cap', (value) => (CAP.test(value) ? { queueCap: Number(value) } : undefined)],
  ['drop', (value) => {
    const drop = DROPS.get(value);
    return drop === undefined ? undefined : { queueDrop: drop };
  }],
]);

/** What holds for the messages of a session. @param isOwn the session says some of it itself */
export function queueReply({ mode, debounceMs, cap, drop }: QueueSettings, isOwn: boolean): string {
  return `queue: ${mode}, debounce ${String(debounceMs)} ms, cap ${String(cap)}, drop ${drop}${isOwn ? '' : ' (default)'}`;
}

export function hasOwnQueue(native: JsonObject): boolean {
  return Object.keys(UNSET).some((name) => native[name] !== undefined && native[name] !== null);
}

const EXEC_FIELDS: ReadonlyMap<string, string> = new Map([['host', 'execHost'], ['security', 'execSecurity'], ['ask', 'execAsk'], ['node', 'execNode']]);

/** Only what is named changes; the values are judged with the patch. @returns undefined for words that are none */
export function readExecWords(text: string): FieldPatch | undefined {
  if (['default', 'inherit'].includes(text.toLowerCase())) return Object.fromEntries([...EXEC_FIELDS.values()].map((field) => [field, null]));
  const fields: Record<string, JsonValue> = {};
  for (const word of text.split(/\s+/)) {
    const [, name = '', value = ''] = /^([a-z]+)=(\S+)$/i.exec(word) ?? [];
    const field = EXEC_FIELDS.get(name.toLowerCase());
    if (field === undefined) return undefined;
    fields[field] = value;
  }
  return fields;
}

export function execReply(native: JsonObject): string {
  const set = [...EXEC_FIELDS].flatMap(([name, field]) => (typeof native[field] === 'string' ? [`${name} ${native[field]}`] : []));
  return `exec: ${set.length === 0 ? 'default' : set.join(', ')}`;
}

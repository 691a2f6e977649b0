/** Words of `/queue` and `/exec` as fields of the entry, and what they answer. Pure. */
import { parseDuration, type JsonObject, type JsonValue } from '@sessions/domain';
import type { FieldPatch } from './field-patch';

export const EXEC_USAGE = '/exec host=auto|sandbox|gateway|node security=deny|allowlist|full ask=off|on-miss|always node=<id>, or /exec default';
export const QUEUE_USAGE = '/queue steer|followup|collect|interrupt|default [debounce:<duration>] [cap:<count>] [drop:old|new|summarize]';

const MODES = ['steer', 'followup', 'collect', 'interrupt'];
const DROPS = ['old', 'new', 'summarize'];
/** What all words set: a command says the whole of it, and what it leaves out is as configured. */
const UNSET = { queueMode: null, queueDebounceMs: null, queueCap: null, queueDrop: null } as const;
const CAP = /^[1-9][0-9]{0,3}$/;

/** @returns undefined for words that are none */
export function readQueueWords(text: string): FieldPatch | undefined {
  const [mode = '', ...options] = text.toLowerCase().split(/\s+/);
  if (mode === 'default' || mode === 'inherit') return options.length === 0 ? UNSET : undefined;
  if (!MODES.includes(mode)) return undefined;
  const fields: Record<string, JsonValue> = { ...UNSET, queueMode: mode };
  for (const option of options) {
    const [name = '', value = ''] = option.split(/:(.*)/s);
    const read = OPTIONS[name]?.(value);
    if (read === undefined) return undefined;
    Object.assign(fields, read);
  }
  return fields;
}

const OPTIONS: Readonly<Record<string, (value: string) => FieldPatch | undefined>> = {
  debounce: (value) => {
    const read = parseDuration(value, 'ms');
    return read.ok ? { queueDebounceMs: read.value } : undefined;
  },
  cap: (value) => (CAP.test(value) ? { queueCap: Number(value) } : undefined),
  drop: (value) => (DROPS.includes(value) ? { queueDrop: value } : undefined),
};

export function queueReply({ queueMode, queueDebounceMs, queueCap, queueDrop }: JsonObject): string {
  const options = [
    typeof queueDebounceMs === 'number' ? `debounce ${String(queueDebounceMs)} ms` : '',
    typeof queueCap === 'number' ? `cap ${String(queueCap)}` : '',
    typeof queueDrop === 'string' ? `drop ${queueDrop}` : '',
  ];
  return `queue: ${[typeof queueMode === 'string' ? queueMode : 'default', ...options.filter((option) => option !== '')].join(', ')}`;
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

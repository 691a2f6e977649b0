/**
 * A small checker for the parameters of gateway methods. Its sentences are the ones that existing
 * clients know from the wire (`at /limit: must be >= 1`), so their order and wording are fixed.
 */
import { isJsonObject } from '@sessions/domain';

export type Schema =
  | { readonly kind: 'any' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'null' }
  | { readonly kind: 'string'; readonly minLength?: number; readonly maxLength?: number; readonly maxBytes?: number }
  | { readonly kind: 'integer'; readonly minimum?: number; readonly maximum?: number }
  | { readonly kind: 'constant'; readonly value: string | boolean }
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'array'; readonly items: Schema; readonly minItems?: number; readonly maxItems?: number }
  /** Members of any name, all of one schema. */
  | { readonly kind: 'record'; readonly values: Schema }
  | { readonly kind: 'union'; readonly options: readonly Schema[] }
  | ObjectSchema;

/** A closed set of members; those in `required` must be there. */
export interface ObjectSchema {
  readonly kind: 'object';
  readonly members: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
}

export const any: Schema = { kind: 'any' };
export const boolean: Schema = { kind: 'boolean' };
export const string: Schema = { kind: 'string' };
/** At least one character. */
export const text: Schema = { kind: 'string', minLength: 1 };
export const integer = (minimum: number, maximum?: number): Schema => ({ kind: 'integer', minimum, ...(maximum !== undefined && { maximum }) });
export const oneOf = (...values: readonly string[]): Schema => ({ kind: 'enum', values });
export const arrayOf = (items: Schema, bounds: { minItems?: number; maxItems?: number } = {}): Schema => ({ kind: 'array', items, ...bounds });
/** One of these words. */
export const wordOf = (...values: readonly string[]): Schema => ({ kind: 'union', options: values.map((value): Schema => ({ kind: 'constant', value })) });
/** One of these words or null. */
export const wordOrNull = (...values: readonly string[]): Schema => ({
  kind: 'union',
  options: [...values.map((value): Schema => ({ kind: 'constant', value })), { kind: 'null' }],
});
export const orNull = (schema: Schema): Schema => ({ kind: 'union', options: [schema, { kind: 'null' }] });
/** All members optional but those named in `required`. */
export const closed = (members: Readonly<Record<string, Schema>>, required: readonly string[] = []): ObjectSchema => ({
  kind: 'object',
  members,
  required,
});

/** Sentences that are kept of one value; a hostile value must not make a long answer. */
const PROBLEMS_MAX = 20;
/** Characters of a member's name that are repeated to the client. */
const NAME_SHOWN_MAX = 80;

/**
 * Everything wrong with `value`, joined by `; `; undefined when it fits.
 */
export function describeMisfit(schema: Schema, value: unknown): string | undefined {
  const problems = new Set<string>();
  collect(schema, value, '', problems);
  return problems.size === 0 ? undefined : [...problems].slice(0, PROBLEMS_MAX).join('; ');
}

/** Nothing further of the value is looked at: a frame may have millions of members. */
const isEnough = (problems: ReadonlySet<string>): boolean => problems.size > PROBLEMS_MAX;

function collect(schema: Schema, value: unknown, path: string, problems: Set<string>): void {
  if (isEnough(problems)) return;
  const say = (problem: string): void => void problems.add(path === '' ? problem : `at ${path}: ${problem}`);
  switch (schema.kind) {
    case 'any':
      return;
    case 'boolean':
      if (typeof value !== 'boolean') say('must be boolean');
      return;
    case 'null':
      if (value !== null) say('must be null');
      return;
    case 'constant':
      if (value !== schema.value) say('must be equal to constant');
      return;
    case 'enum':
      if (typeof value !== 'string' || !schema.values.includes(value)) say('must be equal to one of the allowed values');
      return;
    case 'string':
      if (typeof value !== 'string') return say('must be string');
      if (schema.minLength !== undefined && value.length < schema.minLength) say(`must not have fewer than ${schema.minLength} characters`);
      if (schema.maxLength !== undefined && value.length > schema.maxLength) say(`must not have more than ${schema.maxLength} characters`);
      if (schema.maxBytes !== undefined && Buffer.byteLength(value) > schema.maxBytes) say(`must not have more than ${schema.maxBytes} bytes`);
      return;
    case 'integer':
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) return say('must be integer');
      if (schema.minimum !== undefined && value < schema.minimum) say(`must be >= ${schema.minimum}`);
      if (schema.maximum !== undefined && value > schema.maximum) say(`must be <= ${schema.maximum}`);
      return;
    case 'array':
      if (!Array.isArray(value)) return say('must be array');
      if (schema.minItems !== undefined && value.length < schema.minItems) say(`must not have fewer than ${schema.minItems} items`);
      if (schema.maxItems !== undefined && value.length > schema.maxItems) return say(`must not have more than ${schema.maxItems} items`);
      for (let place = 0; place < value.length && !isEnough(problems); place += 1) collect(schema.items, value[place], `${path}/${place}`, problems);
      return;
    case 'record':
      if (!isJsonObject(value)) return say('must be object');
      for (const name of Object.keys(value)) {
        if (isEnough(problems)) return;
        collect(schema.values, value[name], `${path}/${shown(name)}`, problems);
      }
      return;
    case 'union':
      return collectUnion(schema.options, value, path, problems);
    case 'object':
      return collectObject(schema, value, path, problems);
  }
}

function collectUnion(options: readonly Schema[], value: unknown, path: string, problems: Set<string>): void {
  const misfits: string[] = [];
  for (const option of options) {
    const own = new Set<string>();
    collect(option, value, path, own);
    if (own.size === 0) return;
    misfits.push(...own);
  }
  for (const misfit of misfits) problems.add(misfit);
  problems.add(path === '' ? 'must match a schema in anyOf' : `at ${path}: must match a schema in anyOf`);
}

function collectObject(schema: ObjectSchema, value: unknown, path: string, problems: Set<string>): void {
  const at = path === '' ? '' : `at ${path}: `;
  if (!isJsonObject(value)) {
    problems.add(`${at}must be object`);
    return;
  }
  for (const name of schema.required) {
    if (!Object.hasOwn(value, name)) problems.add(`${at}must have required property '${name}'`);
  }
  for (const [name, member] of Object.entries(schema.members)) {
    if (Object.hasOwn(value, name)) collect(member, value[name], `${path}/${name}`, problems);
  }
  for (const name of Object.keys(value)) {
    if (isEnough(problems)) return;
    if (!Object.hasOwn(schema.members, name)) problems.add(`at ${path === '' ? 'root' : path}: unexpected property '${shown(name)}'`);
  }
}

const shown = (name: string): string => (name.length > NAME_SHOWN_MAX ? `${name.slice(0, NAME_SHOWN_MAX)}...` : name);

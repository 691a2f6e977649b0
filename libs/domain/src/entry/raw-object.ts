/**
 * Changes some members of a JSON object's text and keeps every other byte: spelling of numbers,
 * escapes, spacing, unknown members, order. An entry of `sessions.json` goes through here on its way
 * from what stands on disk to what will stand there.
 *
 * The text is scanned once; nested values are skipped, not parsed.
 */
import { SessionError } from '../errors';
import type { JsonValue } from '../json';

/** One member of an object's text; offsets are UTF-16 positions in it. */
export interface RawMember {
  readonly name: string;
  /** Of the quote that opens the name. */
  readonly start: number;
  readonly valueStart: number;
  /** Behind the value's last character. */
  readonly valueEnd: number;
}

export interface RawPatch {
  readonly set?: Readonly<Record<string, JsonValue | undefined>>;
  /** Values as JSON text, stored as they are. */
  readonly setRaw?: ReadonlyMap<string, string>;
  readonly clear?: readonly string[];
}

/** An entry stands at depth 1 of a file with two spaces a level: its members are indented by four. */
const MEMBER_INDENT = '    ';
const CLOSING_INDENT = '  ';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/**
 * Members in the order of the text; a name that stands twice appears twice.
 * @throws DAMAGED when the text is not one JSON object.
 */
export function readRawMembers(text: string): RawMember[] {
  const members: RawMember[] = [];
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN_OBJECT) throw notAnObject(at);
  at = skipSpace(text, at + 1);
  if (text.charCodeAt(at) === CLOSE_OBJECT) return atEnd(text, at + 1, members);
  for (;;) {
    if (text.charCodeAt(at) !== QUOTE) throw notAnObject(at);
    const start = at;
    at = endOfString(text, at);
    const name = JSON.parse(text.slice(start, at)) as string;
    at = skipSpace(text, at);
    if (text.charCodeAt(at) !== COLON) throw notAnObject(at);
    const valueStart = skipSpace(text, at + 1);
    const valueEnd = endOfValue(text, valueStart);
    members.push({ name, start, valueStart, valueEnd });
    at = skipSpace(text, valueEnd);
    const separator = text.charCodeAt(at);
    if (separator === CLOSE_OBJECT) return atEnd(text, at + 1, members);
    if (separator !== COMMA) throw notAnObject(at);
    at = skipSpace(text, at + 1);
  }
}

/**
 * Sets and clears members. Values are replaced in place, new members follow at the end, cleared ones
 * go with the separator beside them; where a name stands twice the last one counts and is changed.
 * @throws DAMAGED when the text is not one JSON object.
 */
export function patchRawObject(text: string, patch: RawPatch): string {
  const wanted = new Map<string, string>();
  for (const [name, value] of Object.entries(patch.set ?? {})) if (value !== undefined) wanted.set(name, formatValue(value));
  for (const [name, raw] of patch.setRaw ?? []) wanted.set(name, raw);
  const cleared = new Set(patch.clear ?? []);
  const members = readRawMembers(text);
  const lastOf = new Map(members.map((member, index) => [member.name, index]));
  const kept = members.filter((member) => !cleared.has(member.name));
  const isPlain = kept.length === members.length && [...wanted.keys()].every((name) => lastOf.has(name));
  if (isPlain) return replaceValues(text, members, lastOf, wanted);
  const pieces = kept.map((member) => {
    const isLast = members[lastOf.get(member.name) as number] === member;
    const raw = isLast ? wanted.get(member.name) : undefined;
    if (isLast) wanted.delete(member.name);
    return raw === undefined ? text.slice(member.start, member.valueEnd) : text.slice(member.start, member.valueStart) + raw;
  });
  for (const [name, raw] of wanted) pieces.push(`${JSON.stringify(name)}: ${raw}`);
  if (pieces.length === 0) return '{}';
  return `{\n${MEMBER_INDENT}${pieces.join(`,\n${MEMBER_INDENT}`)}\n${CLOSING_INDENT}}`;
}

/** The text of a new entry, as `JSON.stringify(store, null, 2)` prints it under its key. */
export function formatEntry(entry: Readonly<Record<string, JsonValue | undefined>>): string {
  return JSON.stringify(entry, null, 2).replaceAll('\n', `\n${CLOSING_INDENT}`);
}

/** A member's value inside an entry of the sessions file. */
function formatValue(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return JSON.stringify(value, null, 2).replaceAll('\n', `\n${MEMBER_INDENT}`);
}

function replaceValues(text: string, members: readonly RawMember[], lastOf: ReadonlyMap<string, number>, wanted: ReadonlyMap<string, string>): string {
  let result = '';
  let from = 0;
  members.forEach((member, index) => {
    const raw = lastOf.get(member.name) === index ? wanted.get(member.name) : undefined;
    if (raw === undefined) return;
    result += text.slice(from, member.valueStart) + raw;
    from = member.valueEnd;
  });
  return result + text.slice(from);
}

function atEnd(text: string, at: number, members: RawMember[]): RawMember[] {
  if (skipSpace(text, at) !== text.length) throw notAnObject(at);
  return members;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at += 1;
  }
}

/** @param start of the opening quote. @returns the position behind the closing one. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote === -1) throw notAnObject(start);
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfString(text, start);
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) return endOfScalar(text, start);
  let depth = 0;
  for (let at = start; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
      continue;
    }
    at += 1;
    if (code === OPEN_OBJECT || code === OPEN_ARRAY) depth += 1;
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  throw notAnObject(start);
}

function endOfScalar(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === COMMA || code === CLOSE_OBJECT || code <= 0x20) break;
    at += 1;
  }
  if (at === start) throw notAnObject(start);
  return at;
}

function notAnObject(offset: number): SessionError {
  return new SessionError('DAMAGED', `an entry is not a JSON object (at character ${offset})`, { facts: { offset } });
}

/**
 * Changes some members of a JSON object's text and keeps every other byte: spelling of numbers,
 * escapes, spacing, unknown members, order. An entry of `sessions.json` goes through here on its way
 * from what stands on disk to what will stand there.
 *
 * The text is scanned once; nested values are skipped, not parsed.
 */
import { SessionError } from '../errors';
import { isJsonObject, type JsonValue } from '../json';

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

/** A JSON number as the grammar of JSON spells it. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * Members in the order of the text; a name that stands twice appears twice. What stands inside a
 * nested value is not judged beyond its quotes and brackets.
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
    const name = parseName(text, start, at);
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
 * Sets and clears members: values are replaced in place, new members follow the last one in its
 * spacing, cleared ones go with the separator before them. Where a name stands twice the last one
 * counts and is changed, and clearing takes both. A name that is set and cleared is set.
 * @throws DAMAGED when the text is not one JSON object.
 */
export function patchRawObject(text: string, patch: RawPatch): string {
  const set = new Map(Object.entries(patch.set ?? {}));
  const wanted = wantedValues(patch);
  const cleared = new Set((patch.clear ?? []).filter((name) => !wanted.has(name)));
  const members = readRawMembers(text);
  const lastOf = new Map<string, number>();
  for (const [index, { name }] of members.entries()) if (wanted.has(name)) lastOf.set(name, index);
  let body = '';
  let kept = 0;
  /** Text up to here is in the body, or was left out of it. */
  let copied = 0;
  for (const [index, member] of members.entries()) {
    if (cleared.has(member.name)) {
      // The first member that stays stands where the first one stood: without a comma before it.
      body += text.slice(copied, kept === 0 ? member.start : members[index - 1]?.valueEnd);
      copied = kept === 0 ? (members[index + 1]?.start ?? member.valueEnd) : member.valueEnd;
      continue;
    }
    kept += 1;
    if (lastOf.get(member.name) !== index) continue;
    const raw = valueOver(text.slice(member.valueStart, member.valueEnd), set.get(member.name), wanted.get(member.name));
    if (raw === undefined) continue;
    body += text.slice(copied, member.valueStart) + raw;
    copied = member.valueEnd;
  }
  body += text.slice(copied, members[members.length - 1]?.valueEnd ?? copied);
  const added = [...wanted].filter(([name]) => !lastOf.has(name));
  return finish(text, members, { body, kept, added });
}

interface Patched {
  /** From the start of the text to the last member that stays. */
  readonly body: string;
  readonly kept: number;
  readonly added: readonly (readonly [name: string, raw: string])[];
}

function finish(text: string, members: readonly RawMember[], { body, kept, added }: Patched): string {
  const last = members[members.length - 1];
  const open = text.indexOf('{');
  const afterBrace = text.slice(text.lastIndexOf('}'));
  if (kept === 0 && added.length === 0) return members.length === 0 ? text : `${text.slice(0, open)}{${afterBrace}`;
  if (last === undefined) {
    return `${text.slice(0, open)}{${added.map((member) => `\n${MEMBER_INDENT}${memberText(member, ' ')}`).join(',')}\n${CLOSING_INDENT}${afterBrace}`;
  }
  const gap = gapBefore(text, last.start);
  const pieces = added.map((member) => memberText(member, gap === '' ? '' : ' '));
  const start = kept === 0 ? `${text.slice(0, members[0]?.start)}${pieces.shift() ?? ''}` : body;
  return `${start}${pieces.map((piece) => `,${gap}${piece}`).join('')}${text.slice(last.valueEnd)}`;
}

function memberText([name, raw]: readonly [string, string], afterColon: string): string {
  return `${JSON.stringify(name)}:${afterColon}${raw}`;
}

/** White space between a member and what stands before it. */
function gapBefore(text: string, start: number): string {
  let from = start;
  while (isSpace(text.charCodeAt(from - 1))) from -= 1;
  return text.slice(from, start);
}

function wantedValues(patch: RawPatch): ReadonlyMap<string, string> {
  const wanted = new Map<string, string>();
  for (const [name, value] of Object.entries(patch.set ?? {})) if (value !== undefined) wanted.set(name, formatValue(value));
  for (const [name, raw] of patch.setRaw ?? []) wanted.set(name, raw);
  return wanted;
}

function parseName(text: string, start: number, end: number): string {
  if (isPlain(text, start + 1, end - 1)) return text.slice(start + 1, end - 1);
  try {
    return JSON.parse(text.slice(start, end)) as string;
  } catch {
    throw notAnObject(start);
  }
}

/** A name without escapes says itself; one character that may not stand in a string is for the parser to refuse. */
function isPlain(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH || code < 0x20) return false;
  }
  return true;
}

/** The text of a new entry, as `JSON.stringify(store, null, 2)` prints it under its key. */
export function formatEntry(entry: Readonly<Record<string, JsonValue | undefined>>): string {
  return JSON.stringify(entry, null, 2).replaceAll('\n', `\n${CLOSING_INDENT}`);
}

/** A member's value inside an entry of the sessions file. */
function formatValue(value: JsonValue, indent = MEMBER_INDENT): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return JSON.stringify(value, null, 2).replaceAll('\n', `\n${indent}`);
}

/**
 * The text of a value that takes the place of another: what stays the same inside keeps its
 * spelling (a program that merged an object has lost `1.0` and digits beyond 2^53).
 */
function valueOver(before: string, value: JsonValue | undefined, printed: string | undefined): string | undefined {
  // Outside objects nothing was merged: the value is the caller's word.
  if (!isJsonObject(value) || printed === undefined || !before.startsWith('{')) return printed;
  return printOver(before, value, MEMBER_INDENT);
}

function printOver(before: string, value: JsonValue, indent: string): string {
  if (sameJson(before, value)) return before;
  if (!isJsonObject(value) || !before.startsWith('{')) return formatValue(value, indent);
  const inner = `${indent}  `;
  const old = new Map(readRawMembers(before).map((member) => [member.name, before.slice(member.valueStart, member.valueEnd)]));
  const pieces: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const known = old.get(name);
    pieces.push(`${JSON.stringify(name)}: ${known === undefined ? formatValue(member, inner) : printOver(known, member, inner)}`);
  }
  return pieces.length === 0 ? '{}' : `{\n${inner}${pieces.join(`,\n${inner}`)}\n${indent}}`;
}

function atEnd(text: string, at: number, members: RawMember[]): RawMember[] {
  if (skipSpace(text, at) !== text.length) throw notAnObject(at);
  return members;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    if (!isSpace(text.charCodeAt(at))) return at;
    at += 1;
  }
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Whether a text says what a value says, as far as a program that parsed it can know. */
function sameJson(text: string, value: JsonValue): boolean {
  return JSON.stringify(JSON.parse(text)) === JSON.stringify(value);
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
  /** Brackets that would close what is open, outermost first. */
  const closing: number[] = [];
  for (let at = start; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
      continue;
    }
    at += 1;
    if (code === OPEN_OBJECT) closing.push(CLOSE_OBJECT);
    else if (code === OPEN_ARRAY) closing.push(CLOSE_ARRAY);
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      if (closing.pop() !== code) throw notAnObject(at - 1);
      if (closing.length === 0) return at;
    }
  }
  throw notAnObject(start);
}

function endOfScalar(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === COMMA || code === CLOSE_OBJECT || isSpace(code)) break;
    at += 1;
  }
  const scalar = text.slice(start, at);
  if (scalar !== 'true' && scalar !== 'false' && scalar !== 'null' && !NUMBER.test(scalar)) throw notAnObject(start);
  return at;
}

function notAnObject(offset: number): SessionError {
  return new SessionError('DAMAGED', `an entry is not a JSON object (at character ${offset})`, { facts: { offset } });
}

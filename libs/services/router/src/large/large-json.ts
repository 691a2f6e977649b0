/**
 * JSON of many megabytes that is large for the contents of files in it. Parsed in one go it stops
 * everybody else for as long as it takes; here the contents, long texts of base64, are cut out of the
 * bytes, the rest is parsed, and they are put back as they stood.
 */
import { isAscii } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { SessionError } from '@sessions/domain';
import { assertJsonShape } from './json-shape';
import { LoopRest } from './loop-rest';

/** JSON that is parsed as it stands, bytes. */
export const PLAIN_BYTES_MAX = 1024 * 1024;
/** What may stand beside the contents of files in larger JSON, bytes: parsed in one go. */
export const REST_BYTES_MAX = 2 * PLAIN_BYTES_MAX;
/** Shortest text that is cut out. */
const CONTENT_BYTES_MIN = 32 * 1024;
/** Longest text that is cut out: more than a file may have, in base64. */
export const CONTENT_BYTES_MAX = 8 * 1024 * 1024;
/** Strings looked at before the clock is. */
const STRINGS_PER_LOOK = 512;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const BLANKS: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);
// A text of JSON has none; the parser does not see those that are cut out.
const CONTROL = /[\0-\x1f]/;

interface Cut {
  /** Of the content, between its quotation marks. */
  readonly start: number;
  readonly end: number;
}

/**
 * @param bytes valid UTF-8
 * @throws SyntaxError as JSON.parse does; TOO_LARGE when more than REST_BYTES_MAX stand beside contents of
 *   files, and as `assertJsonShape`
 */
export async function parseLargeJson(bytes: Buffer): Promise<unknown> {
  if (bytes.length <= PLAIN_BYTES_MAX) return parseShaped(bytes);
  const rest = new LoopRest();
  const cuts = await contentsOf(bytes, rest);
  // Nobody who wrote the JSON knows it.
  const token = randomUUID();
  const plain: Buffer[] = [];
  const contents = new Map<string, string>();
  let from = 0;
  for (const [index, { start, end }] of cuts.entries()) {
    const name = `${token}:${String(index)}`;
    plain.push(bytes.subarray(from, start), Buffer.from(name));
    from = end;
    const content = bytes.toString('latin1', start, end);
    if (CONTROL.test(content)) throw new SyntaxError('a text has a control character');
    contents.set(name, content);
    await rest.ifDue();
  }
  plain.push(bytes.subarray(from));
  const value = { whole: parseShaped(Buffer.concat(plain)) };
  putBack(value, contents);
  return value.whole;
}

/** @throws SyntaxError, TOO_LARGE */
function parseShaped(bytes: Buffer): unknown {
  assertJsonShape(bytes);
  return JSON.parse(bytes.toString('utf8')) as unknown;
}

/** Long texts of ASCII without escapes that are values. @throws TOO_LARGE */
async function contentsOf(bytes: Buffer, rest: LoopRest): Promise<readonly Cut[]> {
  const cuts: Cut[] = [];
  let cutBytes = 0;
  let strings = 0;
  for (let at = 0; ; ) {
    const open = bytes.indexOf(QUOTE, at);
    const close = open === -1 ? -1 : closingQuote(bytes, open, at - cutBytes);
    if (close === -1) break;
    const cut = { start: open + 1, end: close };
    if (isContent(bytes, cut)) {
      cuts.push(cut);
      cutBytes += cut.end - cut.start;
      await rest.ifDue();
    }
    at = close + 1;
    assertRest(at - cutBytes);
    strings += 1;
    if (strings % STRINGS_PER_LOOK === 0) await rest.ifDue();
  }
  assertRest(bytes.length - cutBytes);
  return cuts;
}

/** @param restBytes that stand before the string beside contents. @returns -1 for a string without an end */
function closingQuote(bytes: Buffer, open: number, restBytes: number): number {
  for (let close = bytes.indexOf(QUOTE, open + 1); close !== -1; close = bytes.indexOf(QUOTE, close + 1)) {
    let escapes = 0;
    while (bytes[close - 1 - escapes] === BACKSLASH) {
      escapes += 1;
      // What has escapes is not cut out.
      assertRest(restBytes + escapes);
    }
    if (escapes % 2 === 0) return close;
    assertRest(restBytes + close - open);
  }
  return -1;
}

function isContent(bytes: Buffer, { start, end }: Cut): boolean {
  if (end - start < CONTENT_BYTES_MIN || end - start > CONTENT_BYTES_MAX) return false;
  let next = end + 1;
  while (next < end + REST_BYTES_MAX && BLANKS.has(bytes[next])) next += 1;
  if (bytes[next] === COLON) return false;
  const text = bytes.subarray(start, end);
  return !text.includes(BACKSLASH) && isAscii(text);
}

function assertRest(bytes: number): void {
  if (bytes <= REST_BYTES_MAX) return;
  throw new SessionError('TOO_LARGE', `more than ${String(REST_BYTES_MAX)} bytes stand beside the contents of files, each of which may have ${String(CONTENT_BYTES_MAX)} bytes in base64`, {
    facts: { bound: REST_BYTES_MAX, contentBound: CONTENT_BYTES_MAX },
  });
}

function putBack(root: object, contents: ReadonlyMap<string, string>): void {
  const waiting: object[] = [root];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    const members = one as Record<string, unknown>;
    for (const [name, value] of Object.entries(members)) {
      if (typeof value === 'object' && value !== null) waiting.push(value);
      const content = typeof value === 'string' ? contents.get(value) : undefined;
      if (content !== undefined) members[name] = content;
    }
  }
}

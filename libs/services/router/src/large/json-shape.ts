/**
 * How much structure a client's JSON may have. To parse a value and to check it costs a hundred times
 * what its byte costs, and what is nested some thousands deep cannot be written again; so both
 * are counted in the bytes before they are parsed.
 */
import { JSON_DEPTH_MAX, SessionError } from '@sessions/domain';

/** Far more members and items than any request has. */
export const JSON_VALUES_MAX = 32_768;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
// `[` and `{`, and `]` and `}`, are 0x20 apart.
const OPENING = 0x5b;
const CLOSING = 0x5d;
const BRACE_BIT = 0x20;

/**
 * What is no JSON may pass: the parser refuses it.
 * @param bytes UTF-8
 * @throws TOO_LARGE
 */
export function assertJsonShape(bytes: Uint8Array): void {
  if (bytes.length <= JSON_DEPTH_MAX) return;
  let values = 0;
  let depth = 0;
  let isInText = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) isInText = !isInText;
    else if (isInText) {
      if (byte === BACKSLASH) at += 1;
    } else if (byte === COMMA) values += 1;
    else if (byte === OPENING || byte === (OPENING | BRACE_BIT)) {
      values += 1;
      depth += 1;
      if (depth > JSON_DEPTH_MAX) throw tooLarge(`the JSON is nested more than ${String(JSON_DEPTH_MAX)} deep`, JSON_DEPTH_MAX);
    } else if (byte === CLOSING || byte === (CLOSING | BRACE_BIT)) depth -= 1;
    if (values > JSON_VALUES_MAX) throw tooLarge(`the JSON has more than ${String(JSON_VALUES_MAX)} values`, JSON_VALUES_MAX);
  }
}

const tooLarge = (message: string, bound: number): SessionError => new SessionError('TOO_LARGE', message, { facts: { bound } });

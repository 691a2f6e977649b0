/** Where a JSON text first breaks the grammar of RFC 8259, and what stood to reason there. */
export interface JsonFault {
  /** Byte offset within the given bytes; equal to their length when the text ends too early. */
  readonly offset: number;
  /** What the grammar allows at that place, as words for a sentence. */
  readonly expected: string;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const MINUS = 0x2d;
const ZERO = 0x30;

const LITERALS = ['true', 'false', 'null'].map((word) => Buffer.from(word));
/** Bytes that may follow a backslash, `u` apart: " \ / b f n r t. */
const ESCAPES = new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74]);

/**
 * Finds the first byte at which `bytes` stop being one JSON value. Runs only after JSON.parse has
 * refused them: the engine's own message quotes the text around the fault, which may be a
 * conversation, and does not always name a position.
 * @returns undefined when the bytes are one valid JSON value.
 */
export function locateJsonFault(bytes: Buffer): JsonFault | undefined {
  return new FaultFinder(bytes).find();
}

class FaultFinder {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  find(): JsonFault | undefined {
    /** One closing byte for each open object or array; no recursion, so depth cannot exhaust the stack. */
    const open: number[] = [];
    for (;;) {
      this.#skipSpace();
      const byte = this.#bytes[this.#at];
      if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        this.#at += 1;
        const close = byte === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
        this.#skipSpace();
        if (this.#bytes[this.#at] !== close) {
          open.push(close);
          const fault = close === CLOSE_OBJECT ? this.#name('a name in quotes or "}"') : undefined;
          if (fault) return fault;
          continue;
        }
        this.#at += 1;
      } else {
        const fault = this.#scalar(byte);
        if (fault) return fault;
      }
      const after = this.#afterValue(open);
      if (after === 'end') return undefined;
      if (after !== 'next') return after;
    }
  }

  /** Closes what ends here and moves to the start of the next value. */
  #afterValue(open: number[]): JsonFault | 'next' | 'end' {
    for (;;) {
      this.#skipSpace();
      const close = open.at(-1);
      const byte = this.#bytes[this.#at];
      if (close === undefined) return byte === undefined ? 'end' : this.#fault('the end of the value');
      if (byte === COMMA) {
        this.#at += 1;
        return (close === CLOSE_OBJECT ? this.#name('a name in quotes') : undefined) ?? 'next';
      }
      if (byte !== close) return this.#fault(close === CLOSE_OBJECT ? '"," or "}"' : '"," or "]"');
      open.pop();
      this.#at += 1;
    }
  }

  #name(expected: string): JsonFault | undefined {
    this.#skipSpace();
    if (this.#bytes[this.#at] !== QUOTE) return this.#fault(expected);
    const fault = this.#string();
    if (fault) return fault;
    this.#skipSpace();
    if (this.#bytes[this.#at] !== COLON) return this.#fault('":"');
    this.#at += 1;
    return undefined;
  }

  #scalar(byte: number | undefined): JsonFault | undefined {
    if (byte === QUOTE) return this.#string();
    if (byte === MINUS || isDigit(byte)) return this.#number();
    const literal = LITERALS.find((word) => word[0] === byte);
    if (!literal) return this.#fault('a value');
    for (const expected of literal) {
      if (this.#bytes[this.#at] !== expected) return this.#fault(`the literal ${literal.toString()}`);
      this.#at += 1;
    }
    return undefined;
  }

  #string(): JsonFault | undefined {
    this.#at += 1;
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) return this.#fault('the closing quote of a string');
      if (byte < 0x20) return this.#fault('an escape instead of a bare control character in a string');
      this.#at += 1;
      if (byte === QUOTE) return undefined;
      if (byte !== BACKSLASH) continue;
      const escape = this.#bytes[this.#at];
      if (escape === 0x75) {
        for (let digit = 1; digit <= 4; digit += 1) {
          this.#at += 1;
          if (!isHexDigit(this.#bytes[this.#at])) return this.#fault('four hexadecimal digits after \\u');
        }
      } else if (escape === undefined || !ESCAPES.has(escape)) {
        return this.#fault('a valid escape after a backslash');
      }
      this.#at += 1;
    }
  }

  #number(): JsonFault | undefined {
    if (this.#bytes[this.#at] === MINUS) this.#at += 1;
    if (this.#bytes[this.#at] === ZERO) this.#at += 1;
    else if (!this.#digits()) return this.#fault('a digit');
    if (this.#bytes[this.#at] === 0x2e) {
      this.#at += 1;
      if (!this.#digits()) return this.#fault('a digit after the decimal point');
    }
    const exponent = this.#bytes[this.#at];
    if (exponent === 0x65 || exponent === 0x45) {
      this.#at += 1;
      const sign = this.#bytes[this.#at];
      if (sign === 0x2b || sign === MINUS) this.#at += 1;
      if (!this.#digits()) return this.#fault('a digit in the exponent');
    }
    return undefined;
  }

  #digits(): boolean {
    const start = this.#at;
    while (isDigit(this.#bytes[this.#at])) this.#at += 1;
    return this.#at > start;
  }

  #skipSpace(): void {
    while (isJsonSpace(this.#bytes[this.#at])) this.#at += 1;
  }

  #fault(expected: string): JsonFault {
    return { offset: this.#at, expected };
  }
}

/** Space, tab, line feed or carriage return: the only blanks JSON has between tokens. */
export function isJsonSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isHexDigit(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && ((byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)));
}

/**
 * Finds the first byte that is not part of a well-formed UTF-8 sequence.
 * @returns the byte offset, or -1 when all of it is UTF-8.
 */
export function firstInvalidUtf8(bytes: Buffer): number {
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) return at;
    at += length;
  }
  return -1;
}

/** Length of the well-formed sequence at `at` (Unicode table 3-7), or 0. */
function sequenceLength(bytes: Buffer, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const second = bytes[at + 1] ?? 0;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let index = 2; index < length; index += 1) {
    if (((bytes[at + index] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

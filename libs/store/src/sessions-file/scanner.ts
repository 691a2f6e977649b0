/**
 * Reads a sessions file (`sessions.json`) of any size: a byte loop that hands out one entry at a
 * time with the exact bytes of its value, so that a later rewrite can copy what it did not change.
 * Reads only. Memory is bounded by the largest entry plus 8 to 24 bytes a key.
 *
 * Accepted is exactly what JSON.parse accepts of the whole text, provided that the text is valid
 * UTF-8 and its top is an object; a leading byte order mark is allowed on top of that. The loop
 * itself knows only strings, escapes and depth. Each value is then given to JSON.parse, here or, with
 * `parseValues: false`, by the receiver through `parseEntryValue`: the reader of a store needs the
 * result for its columns anyway, and nothing unparsable may get into an index.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { SessionError } from '@sessions/domain';
import { firstInvalidUtf8, isJsonSpace, locateJsonFault } from './json-fault';
import { KeyFingerprints } from './key-fingerprints';

/** One value larger than this is taken for damage (an unclosed quote or brace swallows the rest of a file). */
export const ENTRY_BYTES_MAX = 64 * 1024 * 1024;
/** Longest key, quotes apart. */
export const KEY_BYTES_MAX = 1024 * 1024;

/** One member of the sessions file, in file order. */
export interface ScannedEntry {
  readonly key: string;
  /** The value's bytes as they stand in the file, inner indentation included; owned by the receiver. */
  readonly valueBytes: Buffer;
  /** What JSON.parse makes of `valueBytes`; any JSON value, not only an object. Undefined with `parseValues: false`. */
  readonly value: unknown;
  /** False when the key is written otherwise than JSON.stringify would (needless escapes). */
  readonly keyBytesEqualCanonical: boolean;
  /** True when an earlier member has the same key; the last one wins. See KeyFingerprints for its odds. */
  readonly duplicateKey: boolean;
  /** Byte offset of the value's first byte in the file. */
  readonly offset: number;
}

export interface ScanSummary {
  /** `empty` is a file of 0 bytes, which is not damage; `scanned` is a whole object, perhaps without members. */
  readonly outcome: 'empty' | 'scanned';
  readonly bytes: number;
  readonly entriesCount: number;
  readonly duplicateKeysCount: number;
  readonly byteOrderMark: boolean;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;

const enum State {
  Start,
  FirstKeyOrEnd,
  NextKey,
  InKey,
  InKeyEscape,
  Colon,
  ValueStart,
  InNested,
  InNestedString,
  InNestedEscape,
  InString,
  InStringEscape,
  InScalar,
  AfterValue,
  Done,
}

export interface ScannerOptions {
  /** False: values are cut out and not parsed; their receiver gives each to `parseEntryValue`. */
  readonly parseValues?: boolean;
}

/** Push chunks in order, then call `end` once. A scanner that has thrown is of no further use. */
export class SessionsFileScanner {
  readonly #parseValues: boolean;
  readonly #keys = new KeyFingerprints();
  #state: State = State.Start;
  #depth = 0;
  /** File offset of the current chunk's first byte. */
  #chunkOffset = 0;
  #markBytes = 0;
  /** Token (key or value) that began in an earlier chunk. */
  #carried: Buffer[] = [];
  #carriedBytes = 0;
  #tokenOffset = 0;
  #keyHasEscape = false;
  #key = '';
  #keyCanonical = true;
  #keyDuplicate = false;
  #entriesCount = 0;
  #duplicateKeysCount = 0;

  constructor({ parseValues = true }: ScannerOptions = {}) {
    this.#parseValues = parseValues;
  }

  /**
   * Takes the next bytes of the file and calls `onEntry` for each entry they complete. The bytes
   * are copied, the chunk may be used again.
   * @throws STORE_UNREADABLE naming the byte offset and what was expected there, after `onEntry`
   *   has had all that stands before it.
   */
  push(chunk: Buffer, onEntry: (entry: ScannedEntry) => void): void {
    const length = chunk.length;
    let tokenStart = 0;
    let at = 0;
    while (at < length) {
      switch (this.#state) {
        case State.InNested: {
          let depth = this.#depth;
          let byte = 0;
          while (at < length) {
            byte = chunk[at++] as number;
            if (byte === QUOTE) break;
            if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth += 1;
            else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && --depth === 0) break;
          }
          this.#depth = depth;
          if (depth === 0) {
            onEntry(this.#entry(chunk, tokenStart, at));
            this.#state = State.AfterValue;
          } else if (byte === QUOTE) this.#state = State.InNestedString;
          break;
        }
        case State.InNestedString: {
          let byte = 0;
          while (at < length) {
            byte = chunk[at++] as number;
            if (byte === QUOTE || byte === BACKSLASH) break;
          }
          if (byte === QUOTE) this.#state = State.InNested;
          else if (byte === BACKSLASH) this.#state = State.InNestedEscape;
          break;
        }
        case State.InNestedEscape:
          at += 1;
          this.#state = State.InNestedString;
          break;
        case State.InKey: {
          let byte = 0;
          while (at < length) {
            byte = chunk[at++] as number;
            if (byte === QUOTE || byte === BACKSLASH) break;
          }
          if (byte === QUOTE) {
            this.#finishKey(this.#takeToken(chunk, tokenStart, at - 1));
            this.#state = State.Colon;
          } else if (byte === BACKSLASH) {
            this.#keyHasEscape = true;
            this.#state = State.InKeyEscape;
          }
          break;
        }
        case State.InKeyEscape:
          at += 1;
          this.#state = State.InKey;
          break;
        case State.InString: {
          const byte = chunk[at++] as number;
          if (byte === BACKSLASH) this.#state = State.InStringEscape;
          else if (byte === QUOTE) {
            onEntry(this.#entry(chunk, tokenStart, at));
            this.#state = State.AfterValue;
          }
          break;
        }
        case State.InStringEscape:
          at += 1;
          this.#state = State.InString;
          break;
        case State.InScalar: {
          const byte = chunk[at] as number;
          if (byte === COMMA || byte === CLOSE_OBJECT || isJsonSpace(byte)) {
            onEntry(this.#entry(chunk, tokenStart, at));
            this.#state = State.AfterValue;
          } else at += 1;
          break;
        }
        default: {
          const byte = chunk[at] as number;
          if (!this.#markByte(byte, at) && !isJsonSpace(byte)) {
            const token = this.#between(byte, at);
            if (token === 'key') tokenStart = at + 1;
            else if (token === 'value') tokenStart = at;
          }
          at += 1;
        }
      }
    }
    this.#carryRest(chunk, tokenStart);
    this.#chunkOffset += length;
  }

  /**
   * Says that the file ends here.
   * @throws STORE_UNREADABLE when it ends before the closing brace.
   */
  end(): ScanSummary {
    if (this.#chunkOffset > 0 && this.#state !== State.Done) {
      throw unreadable(this.#chunkOffset, this.#expected(), 'the end of the file');
    }
    return {
      outcome: this.#chunkOffset === 0 ? 'empty' : 'scanned',
      bytes: this.#chunkOffset,
      entriesCount: this.#entriesCount,
      duplicateKeysCount: this.#duplicateKeysCount,
      byteOrderMark: this.#markBytes === BYTE_ORDER_MARK.length,
    };
  }

  /** A byte of a byte order mark, which may only be the file's first three. */
  #markByte(byte: number, at: number): boolean {
    if (this.#state !== State.Start) return false;
    const position = this.#chunkOffset + at;
    if (position === this.#markBytes && byte === BYTE_ORDER_MARK[position]) {
      this.#markBytes += 1;
      return true;
    }
    if (this.#markBytes > 0 && this.#markBytes < BYTE_ORDER_MARK.length) {
      throw unreadable(position, 'the rest of a byte order mark', describeByte(byte));
    }
    return false;
  }

  /** One significant byte between tokens. @returns what begins with it. */
  #between(byte: number, at: number): 'key' | 'value' | undefined {
    switch (this.#state) {
      case State.Start:
        if (byte !== OPEN_OBJECT) break;
        this.#state = State.FirstKeyOrEnd;
        return undefined;
      case State.FirstKeyOrEnd:
      case State.NextKey:
        if (byte === QUOTE) {
          this.#state = State.InKey;
          this.#keyHasEscape = false;
          this.#tokenOffset = this.#chunkOffset + at + 1;
          return 'key';
        }
        if (byte !== CLOSE_OBJECT || this.#state !== State.FirstKeyOrEnd) break;
        this.#state = State.Done;
        return undefined;
      case State.Colon:
        if (byte !== 0x3a) break;
        this.#state = State.ValueStart;
        return undefined;
      case State.ValueStart:
        this.#tokenOffset = this.#chunkOffset + at;
        if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
          this.#state = State.InNested;
          this.#depth = 1;
        } else if (byte === QUOTE) this.#state = State.InString;
        else if (isScalarStart(byte)) this.#state = State.InScalar;
        else break;
        return 'value';
      case State.AfterValue:
        if (byte !== COMMA && byte !== CLOSE_OBJECT) break;
        this.#state = byte === COMMA ? State.NextKey : State.Done;
        return undefined;
      default:
    }
    throw unreadable(this.#chunkOffset + at, this.#expected(), describeByte(byte));
  }

  #expected(): string {
    switch (this.#state) {
      case State.Start:
        return 'the opening "{" of an object';
      case State.FirstKeyOrEnd:
        return 'a session key in quotes or "}"';
      case State.NextKey:
        return 'a session key in quotes';
      case State.InKey:
      case State.InKeyEscape:
        return 'the closing quote of a session key';
      case State.Colon:
        return '":"';
      case State.ValueStart:
        return 'a value';
      case State.AfterValue:
        return '"," or "}"';
      case State.Done:
        return 'nothing after the closing "}"';
      default:
        return 'the rest of an entry';
    }
  }

  /** Keeps the part of an unfinished key or value that lies in this chunk. */
  #carryRest(chunk: Buffer, tokenStart: number): void {
    const state = this.#state;
    const inKey = state === State.InKey || state === State.InKeyEscape;
    if (!inKey && (state < State.InNested || state > State.InScalar)) return;
    if (tokenStart < chunk.length) {
      const part = Buffer.from(chunk.subarray(tokenStart));
      this.#carried.push(part);
      this.#carriedBytes += part.length;
    }
    const bytesMax = inKey ? KEY_BYTES_MAX : ENTRY_BYTES_MAX;
    if (this.#carriedBytes > bytesMax) {
      const what = inKey ? 'a session key' : 'an entry';
      throw unreadable(this.#tokenOffset, `${what} of at most ${bytesMax} bytes`, 'a longer one');
    }
  }

  #takeToken(chunk: Buffer, start: number, end: number): Buffer {
    const last = chunk.subarray(start, end);
    if (this.#carriedBytes === 0) return Buffer.from(last);
    const token = Buffer.concat([...this.#carried, last]);
    this.#carried = [];
    this.#carriedBytes = 0;
    return token;
  }

  #finishKey(raw: Buffer): void {
    if (raw.length > KEY_BYTES_MAX) {
      throw unreadable(this.#tokenOffset, `a session key of at most ${KEY_BYTES_MAX} bytes`, 'a longer one');
    }
    if (this.#keyHasEscape || hasControlByte(raw)) {
      const quoted = Buffer.concat([QUOTE_BYTES, raw, QUOTE_BYTES]);
      this.#key = parseEntryValue(quoted, this.#tokenOffset - 1) as string;
      this.#keyCanonical = JSON.stringify(this.#key) === quoted.toString('utf8');
    } else {
      this.#key = decode(raw, this.#tokenOffset);
      this.#keyCanonical = true;
    }
    this.#keyDuplicate = this.#keys.add(this.#keyCanonical ? raw : Buffer.from(JSON.stringify(this.#key).slice(1, -1)));
  }

  #entry(chunk: Buffer, start: number, end: number): ScannedEntry {
    const valueBytes = this.#takeToken(chunk, start, end);
    if (valueBytes.length > ENTRY_BYTES_MAX) {
      throw unreadable(this.#tokenOffset, `an entry of at most ${ENTRY_BYTES_MAX} bytes`, 'a longer one');
    }
    this.#entriesCount += 1;
    if (this.#keyDuplicate) this.#duplicateKeysCount += 1;
    return {
      key: this.#key,
      valueBytes,
      value: this.#parseValues ? parseEntryValue(valueBytes, this.#tokenOffset) : undefined,
      keyBytesEqualCanonical: this.#keyCanonical,
      duplicateKey: this.#keyDuplicate,
      offset: this.#tokenOffset,
    };
  }
}

const QUOTE_BYTES = Buffer.from('"');

function hasControlByte(bytes: Buffer): boolean {
  for (let index = 0; index < bytes.length; index += 1) if ((bytes[index] as number) < 0x20) return true;
  return false;
}

/** First bytes of numbers and of true, false, null. */
function isScalarStart(byte: number): boolean {
  return byte === 0x2d || (byte >= 0x30 && byte <= 0x39) || byte === 0x74 || byte === 0x66 || byte === 0x6e;
}

function decode(bytes: Buffer, offset: number): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw unreadable(offset + firstInvalidUtf8(bytes), 'valid UTF-8', 'other bytes');
}

/**
 * The JSON value that stands at a place of a sessions file.
 * @param offset of its first byte in the file
 * @throws STORE_UNREADABLE naming the byte and what was expected there
 */
export function parseEntryValue(bytes: Buffer, offset: number): unknown {
  const text = decode(bytes, offset);
  try {
    return JSON.parse(text);
  } catch {
    const fault = locateJsonFault(bytes) ?? { offset: 0, expected: 'valid JSON' };
    const found = fault.offset < bytes.length ? describeByte(bytes[fault.offset] as number) : 'the end of the value';
    throw unreadable(offset + fault.offset, fault.expected, found);
  }
}

/** Names a byte without quoting text: a letter of a conversation has no place in an error. */
function describeByte(byte: number): string {
  if (byte === 0) return 'a NUL byte';
  if (byte === OPEN_ARRAY) return 'an array';
  return `byte 0x${byte.toString(16).padStart(2, '0')}`;
}

function unreadable(offset: number, expected: string, found: string): SessionError {
  const message = `the sessions file is damaged at byte ${offset}: expected ${expected}, found ${found}`;
  return new SessionError('STORE_UNREADABLE', message, {
    facts: { offset, expected },
    hint: 'run "openclaw sessions verify --repair"; the damaged bytes are kept in quarantine',
  });
}

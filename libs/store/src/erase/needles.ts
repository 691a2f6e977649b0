/**
 * The byte strings that say "this is about the subject", found in one pass over a file however many
 * there are: windows of four bytes are looked up by the end of each needle, and what fits is compared.
 */
import * as fs from 'node:fs';
import { IDENTITY_BEFORE_BYTES, inEitherLetters, inSmallLetters, isIdentity, sendersById, type Sender, type SenderNeedle } from './sender-needles';
import { spellingsOf } from './spellings';

/** Shorter words stand in everybody's bytes by chance: they are judged where they are a whole value. */
export const NEEDLE_BYTES_MIN = 12;
export const CHUNK_BYTES = 1024 * 1024;
const WINDOW_BYTES = 4;
const SLOTS = 65_536;
/** What names are overwritten with, as often as it takes. */
const FILLER = Buffer.from('erased-');
/** And ids of senders: with what no id can be, else `z` would become somebody who is called `e`, and who is found again. */
const SENDER_FILLER = Buffer.from(' erased');

/**
 * After a key these go on with it: `…:12` is none of `…:123`, nor `…:main` of `…:main:thread:5`. Otherwise a
 * sentence goes on. Letters are those of every script, marks and figures too; ids of groups hold `/`.
 */
const GOES_ON = /^(?:[\p{L}\p{M}\p{N}_-]|[:.@+=/][\p{L}\p{M}\p{N}_-])/u;
/** Characters as JSON may escape them, also in text inside of text. */
const ESCAPED = /\\+(?:u([0-9a-f]{4})|(\/))/gi;
/** Bytes behind a key that tell whether it goes on: two characters, each of them a pair of escapes. */
const AFTER_BYTES = 32;

export interface Found {
  readonly offset: number;
  readonly bytes: number;
  readonly isSender: boolean;
}

/** A longer key, and where in it the needle stands. */
interface Surrounding {
  readonly bytes: Buffer;
  readonly at: number;
}

export class Needles {
  readonly longest: number;
  readonly #slots = new Uint8Array(SLOTS);
  readonly #byWindow = new Map<number, Buffer[]>();
  readonly #keys = new Set<Buffer>();
  /** The longer names of others that a needle stands in. */
  readonly #around = new Map<Buffer, readonly Surrounding[]>();
  readonly #ownSuffixes: readonly string[];
  /** Ids between slashes, and the channels they are meant of. */
  readonly #senders = new Map<Buffer, SenderNeedle>();
  /** Bytes before and behind a needle that decide whether it is one. */
  #before = 0;
  #after = AFTER_BYTES;

  /**
   * Words are looked for as they stand, and as JSON may escape them, also JSON in texts of JSON. Those below the least length are left out.
   * @param keys found too, but where they are the beginning of a longer key, which is another session's
   * @param ownSuffixes longer keys that go on so are meant as well; at most AFTER_BYTES long
   * @param others names of other sessions: what stands in one of them is a part of it, whatever its letters
   * @param senders found, however short, in the identities of messages that they sent
   */
  constructor(words: Iterable<string>, keys: Iterable<string> = [], ownSuffixes: readonly string[] = [], others: Iterable<string> = [], senders: Iterable<Sender> = []) {
    this.#ownSuffixes = ownSuffixes;
    const spelledOthers = [...new Set([...others].flatMap((key) => [key, key.toLowerCase()].flatMap(spellingsOf)))];
    const seen = new Set<string>();
    let longest = 0;
    const isKey = new Set(keys);
    for (const word of [...words, ...isKey]) {
      for (const spelling of spellingsOf(word)) {
        const bytes = Buffer.from(spelling, 'utf8');
        if (bytes.length < NEEDLE_BYTES_MIN || seen.has(spelling)) continue;
        seen.add(spelling);
        if (isKey.has(word)) this.#keys.add(bytes);
        this.#noteAround(bytes, spelledOthers.filter((other) => other.length > spelling.length && other.includes(spelling)));
        longest = Math.max(longest, bytes.length);
        this.#note(bytes);
      }
    }
    for (const { id, ...sender } of sendersById(senders)) {
      if (id === '') continue;
      // Ids hold quotation marks and backslashes, which lines of JSON have escaped.
      for (const spelling of spellingsOf(`/${id}/`)) {
        const bytes = Buffer.from(spelling, 'utf8');
        this.#senders.set(bytes, sender);
        this.#before = Math.max(this.#before, IDENTITY_BEFORE_BYTES);
        longest = Math.max(longest, bytes.length);
        this.#note(bytes);
      }
    }
    this.longest = longest;
  }

  #note(needle: Buffer): void {
    // An id of one letter, between slashes, fills no window: whatever stands before it does.
    const ends = needle.length < WINDOW_BYTES ? Array.from({ length: 256 }, (_, before) => Buffer.from([before, ...needle])) : [needle.subarray(needle.length - WINDOW_BYTES)];
    const spelled = this.#senders.get(needle)?.exact === false ? ends.flatMap(inEitherLetters) : ends;
    for (const window of new Set(spelled.map((end) => end.readUInt32BE()))) this.#noteWindow(window, needle);
  }

  #noteWindow(window: number, needle: Buffer): void {
    this.#slots[slotOf(window)] = 1;
    const same = this.#byWindow.get(window);
    if (same === undefined) this.#byWindow.set(window, [needle]);
    else same.push(needle);
  }

  #noteAround(needle: Buffer, others: readonly string[]): void {
    const around = others.flatMap((other) => {
      const bytes = Buffer.from(other, 'utf8');
      const places: Surrounding[] = [];
      for (let at = bytes.indexOf(needle); at !== -1; at = bytes.indexOf(needle, at + 1)) places.push({ bytes, at });
      return places;
    });
    if (around.length > 0) this.#around.set(needle, around);
    for (const { bytes, at } of around) {
      this.#before = Math.max(this.#before, at);
      this.#after = Math.max(this.#after, bytes.length - at - needle.length);
    }
  }

  get isEmpty(): boolean {
    return this.#byWindow.size === 0;
  }

  /** Where needles stand, in the order of their ends; of two that end at one place the longer. */
  *in(bytes: Buffer): Generator<Found> {
    if (this.isEmpty) return;
    let window = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      window = ((window << 8) | (bytes[at] as number)) >>> 0;
      if (at < WINDOW_BYTES - 1 || this.#slots[slotOf(window)] === 0) continue;
      let best: Buffer | undefined;
      for (const needle of this.#byWindow.get(window) ?? []) {
        const start = at + 1 - needle.length;
        if (start < 0 || (best !== undefined && best.length >= needle.length)) continue;
        if (this.#isSpelledAt(needle, bytes, start) && !this.#isPartOfOther(needle, bytes, start)) best = needle;
      }
      if (best === undefined) continue;
      // Of an identity the id alone: its slashes stay.
      const isSender = this.#senders.has(best);
      const edge = isSender ? 1 : 0;
      yield { offset: at + 1 - best.length + edge, bytes: best.length - 2 * edge, isSender };
    }
  }

  #isSpelledAt(needle: Buffer, bytes: Buffer, start: number): boolean {
    if (this.#senders.get(needle)?.exact !== false) return bytes.compare(needle, 0, needle.length, start, start + needle.length) === 0;
    return needle.every((byte, index) => inSmallLetters(byte) === inSmallLetters(bytes[start + index] as number));
  }

  /** The needle stands here as a piece of another name. */
  #isPartOfOther(needle: Buffer, bytes: Buffer, start: number): boolean {
    const sender = this.#senders.get(needle);
    if (sender !== undefined) return !isIdentity(bytes.subarray(Math.max(0, start - IDENTITY_BEFORE_BYTES), start).toString('latin1'), sender.channels);
    if (this.#keys.has(needle) && this.#goesOn(bytes, start + needle.length)) return true;
    return this.#around.get(needle)?.some((other) => other.at <= start && bytes.subarray(start - other.at, start - other.at + other.bytes.length).equals(other.bytes)) === true;
  }

  #goesOn(bytes: Buffer, end: number): boolean {
    const after = bytes.toString('utf8', end, Math.min(end + AFTER_BYTES, bytes.length)).replaceAll(ESCAPED, (_all, code: string | undefined, slash: string | undefined) => slash ?? String.fromCharCode(Number.parseInt(code ?? '', 16)));
    return GOES_ON.test(after) && !this.#ownSuffixes.some((suffix) => after.startsWith(suffix));
  }

  isIn(bytes: Buffer): boolean {
    return this.in(bytes).next().done !== true;
  }

  isInText(text: string): boolean {
    return this.isIn(Buffer.from(text, 'utf8'));
  }

  /** Bytes that two pieces of one text share, so that what stands across the border is found in one of them. */
  get overlap(): number {
    return Math.max(this.longest - 1, 0) + this.#before + this.#after;
  }

  /** Overwrites what is found. @param goesOn more bytes follow in another piece, which begins `overlap` before the end. @returns how often. */
  overwriteIn(bytes: Buffer, goesOn = false): number {
    let count = 0;
    for (const { offset, bytes: length, isSender } of [...this.in(bytes)]) {
      // What follows is not known yet: it comes again.
      if (goesOn && offset + length > bytes.length - this.#after) continue;
      const filler = isSender ? SENDER_FILLER : FILLER;
      for (let at = 0; at < length; at += 1) bytes[offset + at] = filler[at % filler.length] as number;
      count += 1;
    }
    return count;
  }

  /** Places in an open file. @param upTo ends the reading after that many are found */
  findInFile(fd: number, upTo = Number.MAX_SAFE_INTEGER): Found[] {
    const found: Found[] = [];
    const { overlap } = this;
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES + overlap);
    let kept = 0;
    for (let position = 0; ; ) {
      const count = fs.readSync(fd, chunk, kept, CHUNK_BYTES, position);
      const bytes = chunk.subarray(0, kept + count);
      for (const { offset, bytes: length, isSender } of this.in(bytes)) {
        const end = offset + length;
        // Found with the chunk before, or with the next one, which has what follows.
        if (end <= kept - this.#after || (count > 0 && end > bytes.length - this.#after)) continue;
        found.push({ offset: position - kept + offset, bytes: length, isSender });
        if (found.length >= upTo) return found;
      }
      if (count === 0) return found;
      position += count;
      const next = Math.min(overlap, bytes.length);
      bytes.copy(chunk, 0, bytes.length - next);
      kept = next;
    }
  }
}

function slotOf(window: number): number {
  return (window ^ (window >>> 16)) & (SLOTS - 1);
}

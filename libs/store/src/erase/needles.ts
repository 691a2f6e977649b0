/**
 * The byte strings that say "this is about the subject", found in one pass over a file however many
 * there are: windows of four bytes are looked up by the end of each needle, and what fits is compared.
 */
import * as fs from 'node:fs';

/** Shorter words stand in everybody's bytes by chance: they are judged where they are a whole value. */
export const NEEDLE_BYTES_MIN = 12;
export const CHUNK_BYTES = 1024 * 1024;
const WINDOW_BYTES = 4;
const SLOTS = 65_536;
/** What names are overwritten with, as often as it takes. */
const FILLER = Buffer.from('erased-');

export interface Found {
  readonly offset: number;
  readonly bytes: number;
}

export class Needles {
  readonly longest: number;
  readonly #slots = new Uint8Array(SLOTS);
  readonly #byWindow = new Map<number, Buffer[]>();

  /** Words are looked for as they stand, and as JSON may escape them. Those below the least length are left out. */
  constructor(words: Iterable<string>) {
    const seen = new Set<string>();
    let longest = 0;
    for (const word of words) {
      for (const spelling of [word, JSON.stringify(word).slice(1, -1), asciiJson(word)]) {
        const bytes = Buffer.from(spelling, 'utf8');
        if (bytes.length < NEEDLE_BYTES_MIN || seen.has(spelling)) continue;
        seen.add(spelling);
        longest = Math.max(longest, bytes.length);
        const window = bytes.readUInt32BE(bytes.length - WINDOW_BYTES);
        this.#slots[slotOf(window)] = 1;
        const same = this.#byWindow.get(window);
        if (same === undefined) this.#byWindow.set(window, [bytes]);
        else same.push(bytes);
      }
    }
    this.longest = longest;
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
        if (bytes.compare(needle, 0, needle.length, start, at + 1) === 0) best = needle;
      }
      if (best !== undefined) yield { offset: at + 1 - best.length, bytes: best.length };
    }
  }

  isIn(bytes: Buffer): boolean {
    return this.in(bytes).next().done !== true;
  }

  isInText(text: string): boolean {
    return this.isIn(Buffer.from(text, 'utf8'));
  }

  /** Overwrites what is found. @returns how often. */
  overwriteIn(bytes: Buffer): number {
    let count = 0;
    for (const { offset, bytes: length } of [...this.in(bytes)]) {
      for (let at = 0; at < length; at += 1) bytes[offset + at] = FILLER[at % FILLER.length] as number;
      count += 1;
    }
    return count;
  }

  /** Places in an open file. @param upTo ends the reading after that many are found */
  findInFile(fd: number, upTo = Number.MAX_SAFE_INTEGER): Found[] {
    const found: Found[] = [];
    const overlap = Math.max(this.longest - 1, 0);
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES + overlap);
    let kept = 0;
    for (let position = 0; ; ) {
      const count = fs.readSync(fd, chunk, kept, CHUNK_BYTES, position);
      if (count === 0) return found;
      const bytes = chunk.subarray(0, kept + count);
      for (const { offset, bytes: length } of this.in(bytes)) {
        // What ends in the overlap was found with the chunk before.
        if (offset + length <= kept) continue;
        found.push({ offset: position - kept + offset, bytes: length });
        if (found.length >= upTo) return found;
      }
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

/** As programs print JSON that keep to ASCII. */
function asciiJson(word: string): string {
  return JSON.stringify(word)
    .slice(1, -1)
    .replaceAll(/[^\u0020-\u007e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

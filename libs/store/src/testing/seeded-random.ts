/** A reproducible stream of numbers for tests and benchmarks (the mulberry32 generator); no secret rests on it. */
export class SeededRandom {
  #state: number;

  /** Streams of different `(seed, index)` pairs are unrelated. */
  constructor(seed: number, index = 0) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35);
    this.word();
  }

  /** 0 to 2^32 - 1. */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.word() / 2 ** 32) * limit);
  }

  /** One of `choices`, of which there is at least one. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  chance(probability: number): boolean {
    return this.word() < probability * 2 ** 32;
  }

  /** `digits` hexadecimal digits. */
  hex(digits: number): string {
    let text = '';
    while (text.length < digits) text += this.word().toString(16).padStart(8, '0');
    return text.slice(0, digits);
  }

  /** In the form of a version 7 UUID of the given instant. */
  uuid(atMs: number): string {
    const time = atMs.toString(16).padStart(12, '0');
    const rest = this.hex(18);
    return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-8${rest.slice(3, 6)}-${rest.slice(6)}`;
  }

  /** Words of prose, at most `length` characters. */
  prose(length: number): string {
    let text = '';
    while (text.length < length) text += `${this.pick(WORDS)} `;
    return text.slice(0, Math.max(0, length)).trimEnd();
  }
}

const WORDS = [
  'release', 'plan', 'of', 'the', 'week', 'mail', 'from', 'Anna', 'please', 'check', 'calendar', 'tomorrow', 'größe', 'report', 'draft', 'is', 'ready', 'and', 'send',
  'it', 'to', 'team', 'before', 'noon', 'thanks', '“quoted”', 'build', 'failed', 'again', 'on', 'main', '東京', 'flight', 'at', 'seven', 'remind', 'me', 'budget',
] as const;

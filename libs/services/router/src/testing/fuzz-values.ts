/** Hostile values from a seed: the same seed gives the same values. */

/** Stands for text of a conversation: it must come out nowhere. */
export const PLANTED = 'PLANTED-CONTENT-7f3a';

export class FuzzValues {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1): mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new Error('nothing to pick from');
    return value;
  }

  text(): string {
    const made = this.pick([
      () => '',
      () => PLANTED,
      () => this.pick(KEYS),
      () => this.pick(KEYS) + PLANTED,
      () => 'x'.repeat(this.below(3000)),
      () => String.fromCodePoint(...Array.from({ length: this.below(20) }, () => this.below(0xd7ff))),
      () => '\ud800'.repeat(this.below(3)),
      () => String(this.next() * 10 ** this.below(20)),
    ]);
    return made();
  }

  value(depth = 0): unknown {
    const kinds = depth > 3 ? 6 : 8;
    switch (this.below(kinds)) {
      case 0:
        return null;
      case 1:
        return this.next() < 0.5;
      case 2:
        return this.pick([0, -1, 1, 1.5, 2 ** 31, 2 ** 53, -(2 ** 53), 1e308, this.below(2000)]);
      case 6:
        return Array.from({ length: this.below(5) }, () => this.value(depth + 1));
      case 7:
        return Object.fromEntries(Array.from({ length: this.below(5) }, () => [this.text().slice(0, 40), this.value(depth + 1)]));
      default:
        return this.text();
    }
  }

  bytes(lengthMax: number): Buffer {
    return Buffer.from(Array.from({ length: this.below(lengthMax) }, () => this.below(256)));
  }
}

/** Keys and paths that ask for trouble. */
const KEYS = [
  'main', 'MAIN', 'global', 'unknown', 'agent:main:main', 'agent::', 'agent:../../etc:x', '../../../etc/passwd', '..%2f..%2fetc', 'agent:main:\0', 'agent:main:subagent:x',
  'agent:main:cron:j:run:1', '__proto__', 'constructor', 'toString', '0190aaaa-0000-7000-8000-000000000001', 'agent:main:telegram:direct:1', '\r\nx: y', '%', '%00', '%ff', '/',
] as const;

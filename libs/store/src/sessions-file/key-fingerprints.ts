/** Slots at the start; always a power of two, so that a mask replaces a division. */
const SLOTS_AT_START = 1024;
/** The table doubles before it is fuller than this. */
const LOAD_MAX = 0.7;

/**
 * A set of 64-bit fingerprints of byte strings: 8 bytes a slot where a Set of the strings would
 * take a hundred, which is what keeps a scan of a million keys in constant-like memory.
 *
 * Equal bytes always meet. Different bytes meet with odds of about 1 in 40 million for a million
 * keys, so an answer of `true` is a hint for a report and never a reason to drop anything.
 */
export class KeyFingerprints {
  #high = new Uint32Array(SLOTS_AT_START);
  #low = new Uint32Array(SLOTS_AT_START);
  #count = 0;

  /** Adds one byte string. @returns true when its fingerprint was there before. */
  add(bytes: Uint8Array): boolean {
    const { high, low } = fingerprintOf(bytes);
    if (this.#count + 1 > this.#high.length * LOAD_MAX) this.#grow();
    return this.#insert(high, low);
  }

  /** True when the fingerprint of these bytes was added. */
  has(bytes: Uint8Array): boolean {
    const { high, low } = fingerprintOf(bytes);
    const mask = this.#high.length - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const slotHigh = this.#high[slot] as number;
      const slotLow = this.#low[slot] as number;
      if (slotHigh === high && slotLow === low) return true;
      if (slotHigh === 0 && slotLow === 0) return false;
    }
  }

  #insert(high: number, low: number): boolean {
    const mask = this.#high.length - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const slotHigh = this.#high[slot] as number;
      const slotLow = this.#low[slot] as number;
      if (slotHigh === 0 && slotLow === 0) {
        this.#high[slot] = high;
        this.#low[slot] = low;
        this.#count += 1;
        return false;
      }
      if (slotHigh === high && slotLow === low) return true;
    }
  }

  #grow(): void {
    const highs = this.#high;
    const lows = this.#low;
    this.#high = new Uint32Array(highs.length * 2);
    this.#low = new Uint32Array(highs.length * 2);
    this.#count = 0;
    for (let slot = 0; slot < highs.length; slot += 1) {
      const high = highs[slot] as number;
      const low = lows[slot] as number;
      if (high !== 0 || low !== 0) this.#insert(high, low);
    }
  }
}

/** Two independent 32-bit halves. The pair (0, 0) marks a free slot and never comes out. */
function fingerprintOf(bytes: Uint8Array): { readonly high: number; readonly low: number } {
  let high = 0x811c9dc5;
  let low = 0x9e3779b9;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] as number;
    high = Math.imul(high ^ byte, 0x01000193);
    low = Math.imul(low ^ (byte + (high >>> 16)), 0x85ebca6b);
    low ^= low >>> 13;
  }
  high = mix(high ^ bytes.length);
  low = mix(low);
  return { high, low: high === 0 && low === 0 ? 1 : low };
}

/** Spreads every input bit over the whole word; the result is an unsigned 32-bit number. */
function mix(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

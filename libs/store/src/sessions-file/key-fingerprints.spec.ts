import { KeyFingerprints } from './key-fingerprints';

describe('KeyFingerprints', () => {
  it('knows what was added, through every growth, and nothing else', () => {
    const set = new KeyFingerprints();
    const bytesOf = (n: number): Buffer => Buffer.from(`agent:main:telegram:direct:${n}`);
    for (let n = 0; n < 200_000; n += 2) if (set.add(bytesOf(n))) throw new Error(`${n} was called a duplicate`);
    for (let n = 0; n < 200_000; n += 1) {
      if (set.has(bytesOf(n)) !== (n % 2 === 0)) throw new Error(`${n} was answered wrongly`);
    }
    expect(set.add(bytesOf(4))).toBe(true);
    expect(set.has(Buffer.alloc(0))).toBe(false);
    expect(set.add(Buffer.alloc(0))).toBe(false);
    expect(set.has(Buffer.alloc(0))).toBe(true);
  });

  it('tells permuted and padded byte strings apart', () => {
    const set = new KeyFingerprints();
    for (let a = 0; a < 256; a += 1) {
      for (let b = 0; b < 256; b += 1) expect(set.add(Uint8Array.of(a, b))).toBe(false);
      expect(set.add(Uint8Array.of(a))).toBe(false);
      expect(set.add(Uint8Array.of(a, 0, 0))).toBe(false);
    }
  });
});

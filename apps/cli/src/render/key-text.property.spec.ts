import { keyText } from './key-text';
import * as fc from 'fast-check';

const letters = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '"', '\\', '\u200b', '\u202e', '\u00a0', '\u0000', '\n', '\ud800', 'u', '0', '\u{1f600}', '中'), maxLength: 8 });

describe('a printed key', () => {
  it('is the key itself where all of it can be seen', () => {
    for (const key of ['agent:main:main', 'agent:main:line:direct:用户', 'a b', 'a\\u200b']) expect(keyText(key)).toBe(key);
  });

  it('shows what cannot be seen', () => {
    expect(keyText('')).toBe('""');
    expect(keyText(' a ')).toBe('" a "');
    expect(keyText('a\u202eb')).toBe('"a\\u202eb"');
    expect(keyText('a\u00a0b')).toBe('"a\\u00a0b"');
  });

  it('is one line without controls, and never that of another key', () => {
    fc.assert(
      fc.property(letters, letters, (one, other) => {
        expect(keyText(one)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
        if (one !== other) expect(keyText(one)).not.toBe(keyText(other));
      }),
      { numRuns: 2000 },
    );
  });
});

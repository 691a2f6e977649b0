/** Characters and texts of every kind. */
import fc from 'fast-check';

const FIRST_SURROGATE = 0xd800;
const SURROGATES = 0x800;
const CODE_POINTS = 0x110000 - SURROGATES;

/**
 * Any character but half a pair: what `unit: 'binary'` of a string means, with the same values from
 * the same seed. Fast-check makes a table of all of them for the way back from a character to its
 * number, in each file of tests anew: seconds of processor time that a subtraction does not need.
 */
export const anyCharacters: fc.Arbitrary<string> = fc.nat({ max: CODE_POINTS - 1 }).map(
  (index) => String.fromCodePoint(index < FIRST_SURROGATE ? index : index + SURROGATES),
  (value) => {
    const codePoint = typeof value === 'string' && [...value].length === 1 ? value.codePointAt(0)! : Number.NaN;
    if (codePoint < FIRST_SURROGATE) return codePoint;
    if (codePoint >= FIRST_SURROGATE + SURROGATES) return codePoint - SURROGATES;
    throw new Error(`not one character: ${String(value)}`);
  },
);

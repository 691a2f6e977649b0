import fc from 'fast-check';
import { anyCharacters } from './text-arbitraries';

it('makes the texts that fast-check makes of any character, from the same seed', () => {
  const ours = fc.sample(fc.string({ unit: anyCharacters, maxLength: 40 }), { seed: 7, numRuns: 500 });
  expect(ours).toEqual(fc.sample(fc.string({ unit: 'binary', maxLength: 40 }), { seed: 7, numRuns: 500 }));
  expect(ours).toContain('ref');
});

it.each(['', 'ab', '\ud800', '\udfff', 7, undefined])('does not take %j for a character', (value) => {
  expect(anyCharacters.canShrinkWithoutContext(value)).toBe(false);
});

it.each(['\u0000', 'a', '\ud7ff', '\ue000', '😀', '\u{10ffff}'])('takes %j for a character', (value) => {
  expect(anyCharacters.canShrinkWithoutContext(value)).toBe(true);
});

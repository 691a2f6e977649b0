import { mergeEntryTexts } from './merge-entry';

const BASE = '{"sessionId":"s","updatedAt":10,"a":1,"b":1.50}';

describe('merging an entry that both changed', () => {
  it('takes theirs whole where we changed nothing', () => {
    expect(mergeEntryTexts(BASE, '{"sessionId":"s","updatedAt":11,"c":2}', undefined)).toBe('{"sessionId":"s","updatedAt":11,"c":2}');
  });

  it('keeps ours beside an older copy', () => {
    expect(mergeEntryTexts(BASE, '{"sessionId":"s","updatedAt":9,"a":7}', undefined)).toBe(BASE);
  });

  it('takes members only they changed, keeps those both changed, and leaves spellings alone', () => {
    const ours = '{"sessionId":"s","updatedAt":12,"a":2,"b":1.50}';
    const theirs = '{"sessionId":"s","updatedAt":13,"a":3,"b":1.50,"d":[1 ,2]}';
    const merged = mergeEntryTexts(ours, theirs, { text: BASE });
    expect(JSON.parse(merged)).toMatchObject({ a: 2, b: 1.5, d: [1, 2] });
    expect(merged).toContain('1.50');
    expect(merged).toContain('[1 ,2]');
  });

  it('drops a member that they dropped and we did not touch', () => {
    expect(JSON.parse(mergeEntryTexts('{"sessionId":"s","updatedAt":10,"a":2,"b":1.50}', '{"sessionId":"s","updatedAt":14,"a":1}', { text: BASE }))).not.toHaveProperty('b');
  });

  it('takes a copy without an instant for an edit by hand', () => {
    expect(mergeEntryTexts(BASE, '{"sessionId":"s","a":5}', undefined)).toBe('{"sessionId":"s","a":5}');
  });

  it('takes what is no object whole, or leaves it, never mixes', () => {
    expect(mergeEntryTexts(BASE, '"text"', undefined)).toBe('"text"');
    expect(mergeEntryTexts(BASE, '"text"', { text: BASE })).toBe(BASE);
  });
});

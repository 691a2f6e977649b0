import fc from 'fast-check';
import type { JsonValue } from '../json';
import { entryTexts, memberNames } from '../testing/entry-arbitraries';
import { formatEntry, patchRawObject, readRawMembers } from './raw-object';

const values = fc.jsonValue() as fc.Arbitrary<JsonValue>;
const patches = fc.record({ set: fc.dictionary(memberNames, values, { maxKeys: 4 }), clear: fc.array(memberNames, { maxLength: 4 }) });

/** Members as JSON.parse sees them, without a prototype to be shadowed. */
const parsedMembers = (text: string): Map<string, unknown> => new Map(Object.entries(JSON.parse(text) as object));

const rawMembers = (text: string): [string, string][] => readRawMembers(text).map(({ name, start, valueEnd }) => [name, text.slice(start, valueEnd)]);

describe('patching any entry text', () => {
  it('gives the object that setting and clearing its members gives', () => {
    fc.assert(
      fc.property(entryTexts, patches, (text, { set, clear }) => {
        const expected = parsedMembers(text);
        for (const name of clear) expected.delete(name);
        for (const [name, value] of Object.entries(set)) expected.set(name, JSON.parse(JSON.stringify(value)));
        expect(parsedMembers(patchRawObject(text, { set, clear }))).toEqual(expected);
      }),
    );
  });

  it('leaves the bytes of all other members, and their order', () => {
    fc.assert(
      fc.property(entryTexts, patches, (text, { set, clear }) => {
        const touched = new Set([...Object.keys(set), ...clear]);
        const untouched = (from: string): [string, string][] => rawMembers(from).filter(([name]) => !touched.has(name));
        expect(untouched(patchRawObject(text, { set, clear }))).toEqual(untouched(text));
      }),
    );
  });

  it('twice is the same as once', () => {
    fc.assert(
      fc.property(entryTexts, patches, (text, patch) => {
        const once = patchRawObject(text, patch);
        expect(patchRawObject(once, patch)).toBe(once);
      }),
    );
  });

  it('keeps the text when values are set to what they are', () => {
    fc.assert(
      fc.property(entryTexts, (text) => {
        const same = new Map(readRawMembers(text).map(({ name, valueStart, valueEnd }) => [name, text.slice(valueStart, valueEnd)]));
        expect(patchRawObject(text, { setRaw: same })).toBe(text);
      }),
    );
  });

  it('refuses every text that is cut short', () => {
    fc.assert(
      fc.property(entryTexts, fc.nat(), (text, at) => {
        const cut = text.trimEnd().slice(0, at % text.trimEnd().length);
        expect(() => readRawMembers(cut)).toThrow(expect.objectContaining({ reason: 'DAMAGED' }));
      }),
    );
  });

  it('adds to a formatted entry what formatting the whole would', () => {
    const plain = memberNames.filter((name) => name !== '__proto__' && !/^\d+$/.test(name));
    fc.assert(
      fc.property(fc.dictionary(plain, values, { minKeys: 1 }), fc.dictionary(plain, values), (entry, set) => {
        expect(patchRawObject(formatEntry(entry), { set })).toBe(formatEntry({ ...entry, ...set }));
      }),
    );
  });
});

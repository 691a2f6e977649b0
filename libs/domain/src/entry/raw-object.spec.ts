import { SessionError } from '../errors';
import { formatEntry, patchRawObject, readRawMembers } from './raw-object';

const ENTRY = `{
    "sessionId": "s-1",
    "updatedAt": 1700000000000,
    "price": 1.0,
    "huge": 1e400,
    "wide": 12345678901234567890,
    "name": "\\u0041\\/b \\"quoted\\"",
    "nested": {
      "a": [1,  2, {"b":"}]"}]
    },
    "last":   true
  }`;

const valueOf = (text: string, name: string): string | undefined => {
  const member = readRawMembers(text).findLast((candidate) => candidate.name === name);
  return member === undefined ? undefined : text.slice(member.valueStart, member.valueEnd);
};

describe('the members of an object text', () => {
  it('are found with their raw values, nested ones whole', () => {
    expect(readRawMembers(ENTRY).map(({ name }) => name)).toEqual(['sessionId', 'updatedAt', 'price', 'huge', 'wide', 'name', 'nested', 'last']);
    expect(valueOf(ENTRY, 'price')).toBe('1.0');
    expect(valueOf(ENTRY, 'name')).toBe('"\\u0041\\/b \\"quoted\\""');
    expect(valueOf(ENTRY, 'nested')).toBe('{\n      "a": [1,  2, {"b":"}]"}]\n    }');
  });

  it('are named by their meaning, not their spelling', () => {
    expect(readRawMembers('{"\\u0061":1}')[0]?.name).toBe('a');
  });

  it('may be none', () => {
    expect(readRawMembers(' { } ')).toEqual([]);
  });

  it.each([
    '', '[]', 'null', '"text"', '1', '{', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{,}', '{"a" 1}', '{"a":1 "b":2}', '{"a":1}{', '{"a":1} x',
    '{"a":[1}', '{"a":{"b":[}]}', '{"a":nul}', '{"a":01}', '{"a":+1}', '{"a":"open}', '{"a":"\\"}', "{'a':1}", '{a:1}', '{"\\x":1}', '{"a":}', '\u00a0{}',
  ])('are refused as damaged in %j', (text) => {
    const failure = (() => {
      try {
        return readRawMembers(text);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(SessionError);
    expect((failure as SessionError).reason).toBe('DAMAGED');
  });
});

describe('a patch', () => {
  it('replaces a value in place and leaves every other byte', () => {
    expect(patchRawObject(ENTRY, { set: { updatedAt: 5 } })).toBe(ENTRY.replace('1700000000000', '5'));
  });

  it('changes nothing when it is empty', () => {
    expect(patchRawObject(ENTRY, {})).toBe(ENTRY);
    expect(patchRawObject('{ }', { clear: ['a'] })).toBe('{ }');
  });

  it('adds members at the end in the spacing of the last one', () => {
    expect(patchRawObject(ENTRY, { set: { label: 'x', list: [1] } })).toBe(ENTRY.replace('"last":   true', '"last":   true,\n    "label": "x",\n    "list": [\n      1\n    ]'));
    expect(patchRawObject('{"a":1}', { set: { b: 2 } })).toBe('{"a":1,"b":2}');
    expect(patchRawObject('{ "a": 1 }', { set: { b: 2 } })).toBe('{ "a": 1, "b": 2 }');
  });

  it('gives an empty object the style of the sessions file', () => {
    expect(patchRawObject('{}', { set: { a: 1, b: {} } })).toBe('{\n    "a": 1,\n    "b": {}\n  }');
  });

  it.each([
    ['sessionId', ENTRY.replace('\n    "sessionId": "s-1",', '')],
    ['price', ENTRY.replace('\n    "price": 1.0,', '')],
    ['last', ENTRY.replace(',\n    "last":   true', '')],
  ])('removes %s with one separator', (name, expected) => {
    expect(patchRawObject(ENTRY, { clear: [name] })).toBe(expected);
  });

  it('may remove all members, and put others in their place', () => {
    expect(patchRawObject('{\n    "a": 1\n  }', { clear: ['a'] })).toBe('{}');
    expect(patchRawObject('{\n    "a": 1,\n    "b": 2\n  }', { clear: ['a', 'b'], set: { c: 3, d: 4 } })).toBe('{\n    "c": 3,\n    "d": 4\n  }');
  });

  it('changes the last of two members with one name, and clears both', () => {
    expect(patchRawObject('{"a":1,"b":2,"a":3}', { set: { a: 4 } })).toBe('{"a":1,"b":2,"a":4}');
    expect(patchRawObject('{"a":1,"b":2,"a":3}', { clear: ['a'] })).toBe('{"b":2}');
  });

  it('sets a name that is cleared as well', () => {
    expect(patchRawObject('{"a":1,"b":2}', { set: { a: 4 }, clear: ['a'] })).toBe('{"a":4,"b":2}');
  });

  it('keeps raw values as they are given', () => {
    expect(patchRawObject('{"a":1}', { setRaw: new Map([['a', '1.50']]) })).toBe('{"a":1.50}');
  });

  it('treats __proto__ and constructor as ordinary names', () => {
    const set = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}') as Record<string, 1>;
    const patched = patchRawObject('{"a":1}', { set });
    expect(readRawMembers(patched).map(({ name }) => name)).toEqual(['a', '__proto__', 'constructor']);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(patchRawObject(patched, { clear: ['__proto__', 'constructor'] })).toBe('{"a":1}');
  });

  it('reads a long text of escaped quotes', () => {
    const long = JSON.stringify({ text: '"\\'.repeat(300_000), end: 1 });
    expect(patchRawObject(long, { set: { end: 2 } })).toBe(long.replace('"end":1', '"end":2'));
  });
});

describe('a new entry', () => {
  it('is spelled as the whole file would be', () => {
    const entry = { sessionId: 's', nested: { list: [1, { a: 'x\ny' }], none: {} } };
    expect(JSON.stringify({ key: entry }, null, 2)).toBe(`{\n  "key": ${formatEntry(entry)}\n}`);
  });

  it('keeps the spelling of what stays the same inside an object that was merged', () => {
    const before = '{\n    "origin": {"from": "a", "odd": 1.0, "big": 12345678901234567890, "deep": { "x": 1e2 }}\n  }';
    const merged = { from: 'b', odd: 1, big: 12345678901234567000, deep: { x: 100 } };
    const after = patchRawObject(before, { set: { origin: merged } });
    expect(JSON.parse(after)).toEqual({ origin: merged });
    for (const kept of ['1.0', '12345678901234567890', '{ "x": 1e2 }']) expect(after).toContain(kept);
  });
});

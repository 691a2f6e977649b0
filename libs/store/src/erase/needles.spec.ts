/** What is found in bytes, and that it does not matter where a file is cut into pieces. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as fc from 'fast-check';
import { CHUNK_BYTES, Needles } from './needles';

const KEY = 'agent:main:telegram:direct:12';
const needles = new Needles(['id-of-a-session'], [KEY], [':run:']);

it('takes a key for no part of a longer one, and finds it before whatever a sentence goes on with', () => {
  for (const other of ['3', ':thread:5', '@example.org', '_b', '-b', '.b']) expect([other, needles.isInText(`${KEY}${other}`)]).toEqual([other, false]);
  for (const end of ['', '"', '. Then', ', ', ': no', '/', '\\n', ' ', '的', ':run:7']) expect([end, needles.isInText(`a ${KEY}${end}`)]).toEqual([end, true]);
  expect(needles.isInText('id-of-a-session-topic-5.jsonl')).toBe(true);
});

it('knows letters of all scripts for letters, as they are and as JSON in ASCII has them', () => {
  for (const other of ['é', 'ж', '\u0301', '\\u00e9', ':é', '.\\u0436', '\\u00E9x']) expect([other, needles.isInText(`${KEY}${other}`)]).toEqual([other, false]);
  for (const end of ['\u2014 then', '\\u2014 then', '…', '\\n', '。', '已删除', '\\u5df2', '😀']) expect([end, needles.isInText(`${KEY}${end}`)]).toEqual([end, true]);
  const named = new Needles([], ['agent:main:wechat:direct:王'], []);
  for (const [after, isFound] of [['', true], ['"', true], ['明', false], ['。', true], ['x', false]] as const) expect([after, named.isInText(`agent:main:wechat:direct:王${after}`)]).toEqual([after, isFound]);
  expect(named.isInText('agent:main:wechat:direct:\\u738b\\u660e')).toBe(false);
  expect(named.isInText('agent:main:wechat:direct:\\u738b"')).toBe(true);
});

it('finds one key in no other, whatever is in them', () => {
  const part = fc.string({ unit: fc.constantFrom('a', '1', '-', '_', '.', 'é', 'ß', 'ж', '王', '\u0301'), minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(part, part, (one, other) => {
      fc.pre(one !== other && !/^[\p{M}]|[.]$/u.test(one) && !/^\p{M}/u.test(other));
      const key = `agent:main:telegram:direct:${one}`;
      // Where a sentence may go on without a blank, the shorter key is taken for the end of a word.
      fc.pre(!(other.startsWith(one) && /^[.]*王/u.test(other.slice(one.length)) && one.charCodeAt(one.length - 1) < 0x80) && !/^\.+$|^\.{2}/u.test(other.startsWith(one) ? other.slice(one.length) : ''));
      const found = new Needles([], [key]);
      for (const spelled of [other, JSON.stringify(other).slice(1, -1)]) expect(found.isInText(`{"agent:main:telegram:direct:${spelled}":{}}`)).toBe(false);
      expect(found.isInText(`{"${key}":{}}`)).toBe(true);
    }),
  );
});

it('decides the same wherever a piece of a file ends', () => {
  const dir = fs.mkdtempSync(path.join(tmpdir(), 'needles-'));
  try {
    const file = path.join(dir, 'file');
    for (const [after, count] of [['3', 0], ['"', 1], ['', 1]] as const) {
      for (let before = CHUNK_BYTES - KEY.length - 12; before <= CHUNK_BYTES + 12; before += 3) {
        fs.writeFileSync(file, `${' '.repeat(before)}${KEY}${after}`);
        const fd = fs.openSync(file, 'r');
        expect([after, before, needles.findInFile(fd).map(({ offset }) => offset)]).toEqual([after, before, count === 0 ? [] : [before]]);
        fs.closeSync(fd);
      }
    }
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
});

/** What is found in bytes, and that it does not matter where a file is cut into pieces. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { CHUNK_BYTES, Needles } from './needles';

const KEY = 'agent:main:telegram:direct:12';
const needles = new Needles(['id-of-a-session'], [KEY], [':run:']);

it('takes a key for no part of a longer one, and finds it before whatever a sentence goes on with', () => {
  for (const other of ['3', ':thread:5', '@example.org', '_b', '-b', '.b', '/b', 'é', 'ж', '的', '\u0301', '٣', ':é', '\\u00e9', '\\\\u7684', '\\/b', ':\\ud801\\udc00']) expect([other, needles.isInText(`${KEY}${other}`)]).toEqual([other, false]);
  for (const end of ['', '"', '. Then', ', ', ': no', '/', '/ ', '\\n', ' ', '。', '😀', '\\u3002', ':run:7']) expect([end, needles.isInText(`a ${KEY}${end}`)]).toEqual([end, true]);
  expect(needles.isInText('id-of-a-session-topic-5.jsonl')).toBe(true);
});

it.each(['agent:main:signal:direct:quo"te\\back', 'agent:main:signal:direct:zoë"'])('finds %s in JSON in texts of JSON, three deep, and leaves it there in a longer one of another', (key) => {
  const other = `agent:main:other:"${key}`;
  const own = new Needles([], [key], [], [other]);
  let [mine, theirs] = [key, other];
  for (let depth = 0; depth <= 3; depth += 1) {
    expect([depth, own.isInText(`say ${mine} `), own.isInText(`say ${theirs} `)]).toEqual([depth, true, false]);
    [mine, theirs] = [JSON.stringify(mine).slice(1, -1), JSON.stringify(theirs).slice(1, -1)];
  }
  const ascii = JSON.stringify(key).slice(1, -1).replaceAll('ë', '\\u00eb');
  expect(own.isInText(`say ${JSON.stringify(ascii)}`)).toBe(true);
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

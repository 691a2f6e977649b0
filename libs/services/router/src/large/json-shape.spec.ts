import { JSON_DEPTH_MAX } from '@sessions/domain';
import { JSON_VALUES_MAX, assertJsonShape } from './json-shape';

const check = (json: string): void => assertJsonShape(Buffer.from(json));
const items = (count: number): string => `[${'1,'.repeat(count - 1)}1]`;
const nested = (depth: number, open = '[', close = ']'): string => `${open.repeat(depth)}${close.repeat(depth)}`;

it('lets through what has as many values, and is as deep, as may be', () => {
  check(items(JSON_VALUES_MAX));
  check(nested(JSON_DEPTH_MAX));
  check(`[${`${nested(JSON_DEPTH_MAX - 1)},`.repeat(20)}1]`);
});

it.each([
  ['items', items(JSON_VALUES_MAX + 1)],
  ['empty objects', `[${'{},'.repeat(JSON_VALUES_MAX / 2)}1]`],
  ['members', `{${'"a":1,'.repeat(JSON_VALUES_MAX)}"a":1}`],
  ['levels of lists', nested(JSON_DEPTH_MAX + 1)],
  ['levels of objects', nested(JSON_DEPTH_MAX + 1, '{"a":', '}')],
  ['levels behind a text with escapes', `["\\"[\\\\",${nested(JSON_DEPTH_MAX)}]`],
])('refuses too many %s', (_what, json) => {
  expect(() => check(json)).toThrow(expect.objectContaining({ reason: 'TOO_LARGE' }));
});

it('counts nothing of what a text says', () => {
  check(JSON.stringify({ text: ',[{"\\'.repeat(JSON_VALUES_MAX), 'a[{,"': 1 }));
});

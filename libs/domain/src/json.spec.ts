import { JSON_DEPTH_MAX, TOO_DEEP_TEXT, withBoundedDepth, type JsonValue } from './json';

const nested = (levels: number, inmost: string): JsonValue => JSON.parse(`${'['.repeat(levels)}${inmost}${']'.repeat(levels)}`) as JsonValue;

it('is the same value as long as all of it can be kept', () => {
  const value = { list: nested(JSON_DEPTH_MAX - 1, '"x"'), text: 'y', nothing: null };
  expect(withBoundedDepth(value)).toBe(value);
});

it('keeps every level to the bound, and says that there were more', () => {
  const value = { deep: nested(JSON_DEPTH_MAX, '"x"'), beside: [1] };
  const kept = withBoundedDepth(value);
  expect(JSON.stringify(kept)).toBe(JSON.stringify({ deep: nested(JSON_DEPTH_MAX - 1, `"${TOO_DEEP_TEXT}"`), beside: [1] }));
  expect(kept.beside).toBe(value.beside);
});

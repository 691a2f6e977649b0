import { TRAJECTORY_DEPTH_MAX, TRAJECTORY_ITEMS_MAX, TRAJECTORY_TEXT_CHARS_MAX, boundedTrajectoryData } from './trajectory-data';
import type { JsonValue } from '../json';

describe('data of a trajectory event', () => {
  it('stays as it is within the bounds', () => {
    const data = { name: 'exec', list: [1, 'two', null, { three: true }], text: 'x'.repeat(TRAJECTORY_TEXT_CHARS_MAX) };
    expect(boundedTrajectoryData(data)).toEqual(data);
  });

  it('has a mark in the place of a text that is one longer', () => {
    expect(boundedTrajectoryData({ text: 'x'.repeat(TRAJECTORY_TEXT_CHARS_MAX + 1) })).toEqual({ text: { truncated: true, reason: 'trajectory-field-size-limit', originalChars: TRAJECTORY_TEXT_CHARS_MAX + 1, limitChars: TRAJECTORY_TEXT_CHARS_MAX } });
  });

  it('has the first items of a list and of an object, and how many there were', () => {
    const many = Array.from({ length: TRAJECTORY_ITEMS_MAX + 3 }, (_, at) => at);
    const { list, object } = boundedTrajectoryData({ list: many, object: Object.fromEntries(many.map((at) => [`m${String(at)}`, at])) });
    expect((list as JsonValue[]).slice(0, -1)).toEqual(many.slice(0, TRAJECTORY_ITEMS_MAX));
    expect((list as JsonValue[]).at(-1)).toMatchObject({ truncated: true, originalLength: TRAJECTORY_ITEMS_MAX + 3 });
    expect(Object.keys(object as object)).toHaveLength(TRAJECTORY_ITEMS_MAX + 1);
    expect(object).toMatchObject({ m0: 0, _truncated: { originalKeys: TRAJECTORY_ITEMS_MAX + 3 } });
  });

  it('ends at a depth', () => {
    let deep: JsonValue = 'bottom';
    for (let level = 0; level < 5 * TRAJECTORY_DEPTH_MAX; level += 1) deep = [deep];
    const text = JSON.stringify(boundedTrajectoryData({ deep }));
    expect(text).not.toContain('bottom');
    expect(text).toContain('trajectory-depth-limit');
  });
});

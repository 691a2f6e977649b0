import { parseByteSize } from './byte-sizes';
import { parseDuration } from './durations';

const DAY = 86_400_000;

describe('parseDuration', () => {
  it.each([
    ['30d', 30 * DAY],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['1.5H', 5_400_000],
    [' 2m ', 120_000],
    ['7', 7 * DAY],
    [0.5, DAY / 2],
    ['0', 0],
    ['0h', 0],
    [0, 0],
  ])('reads %j', (text, ms) => {
    expect(parseDuration(text, 'd')).toEqual({ ok: true, value: ms });
  });

  it.each(['', ' ', 'soon', '-1d', '1d-', '1w', '1 h', '0.0001ms', '1e3', null, true, {}, [], NaN, Infinity, -1, 1e300, '999999999999999d'])('refuses %j', (value) => {
    expect(parseDuration(value, 'd').ok).toBe(false);
  });
});

describe('parseByteSize', () => {
  it.each([
    ['10gb', 10 * 1024 ** 3],
    ['1.5KB', 1536],
    ['2 mb', 2 * 1024 ** 2],
    ['1tb', 1024 ** 4],
    ['12', 12],
    ['3b', 3],
    [4096, 4096],
    ['0', 0],
    ['0gb', 0],
  ])('reads %j', (text, size) => {
    expect(parseByteSize(text)).toEqual({ ok: true, value: size });
  });

  it.each(['', 'big', '-1', '1kib', '1.5', '0.1b', 1.5, -1, NaN, Infinity, null, false, {}, '99999999tb'])('refuses %j', (value) => {
    expect(parseByteSize(value).ok).toBe(false);
  });
});

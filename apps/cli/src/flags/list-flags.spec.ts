import { parseActiveMinutes, parseLimit, parseTimeoutMs } from './list-flags';

describe('--limit', () => {
  it.each([['25', 25], ['007', 7], [' ALL ', null], ['all', null]])('reads "%s"', (given, count) => expect(parseLimit(given, 100)).toBe(count));
  it('has a default', () => expect(parseLimit(undefined, 100)).toBe(100));
  it.each(['0', '-1', 'abc', '1.5', '1e2', '', '12345678901234567890', '10x', '0x10', '１'])('refuses "%s"', (given) =>
    expect(() => parseLimit(given, 100)).toThrow('--limit must be a positive integer or "all", for example --limit 25.'));
});

describe('--active', () => {
  it.each([['30', 30], ['030', 30]])('reads "%s"', (given, minutes) => expect(parseActiveMinutes(given)).toBe(minutes));
  it('may be absent', () => expect(parseActiveMinutes(undefined)).toBeNull());
  it.each(['0', '-1', 'abc', '1.5', ''])('refuses "%s"', (given) => expect(() => parseActiveMinutes(given)).toThrow('--active must be a positive number of minutes'));
});

describe('--timeout', () => {
  it('reads milliseconds and refuses what a timer cannot take', () => {
    expect(parseTimeoutMs('2500', 1)).toBe(2500);
    expect(parseTimeoutMs(undefined, 10)).toBe(10);
    for (const given of ['0', '1.5', '10x', '1e3', '', '99999999999']) expect(() => parseTimeoutMs(given, 1)).toThrow('--timeout');
  });
});

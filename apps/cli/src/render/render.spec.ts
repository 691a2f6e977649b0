import { formatLongAge, formatShortAge } from './age';
import { renderTable } from './table';
import { formatTokens } from './tokens';
import stringWidth from 'string-width';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('ages', () => {
  it.each([[0, 'just now'], [29_999, 'just now'], [30_000, '1m ago'], [90_000, '2m ago'], [59 * MINUTE, '59m ago'], [HOUR, '1h ago'], [47.4 * HOUR, '47h ago'], [49 * HOUR, '2d ago'], [-10 * MINUTE, 'in 10m'], [null, 'unknown']])(
    '%p is short for %s', (age, text) => expect(formatShortAge(age)).toBe(text));
  it.each([[5 * MINUTE, '5 minutes ago'], [HOUR, '1 hour ago'], [2 * HOUR, '2 hours ago'], [72 * HOUR, '3 days ago'], [-MINUTE, 'in 1 minute'], [null, 'unknown']])(
    '%p is long for %s', (age, text) => expect(formatLongAge(age)).toBe(text));
});

describe('token counts', () => {
  it.each([[52_000, 200_000, '52k/200k (26%)'], [940, 200_000, '0.9k/200k (0%)'], [null, 200_000, 'unknown/200k (?%)'], [1000, 0, '1.0k/? (?%)'], [null, 0, 'unknown/? (?%)'], [999_999, 100_000, '1000k/100k (999%)']])(
    '%p of %p prints %s', (total, window, text) => expect(formatTokens(total, window)).toBe(text));
});

describe('a table', () => {
  const columns = [{ title: 'Key', usualWidth: 26 }, { title: 'N', align: 'right' as const }, { title: 'Flags' }];

  it('prints keys whole, however long', () => {
    const keys = ['a', 'b'].map((last) => `agent:main:${'x'.repeat(200)}${last}`);
    const lines = renderTable(columns, keys.map((key) => [key, '1', '']), { widthMax: 40 });
    expect(lines.slice(1).map((line) => line.split(' ')[0])).toEqual(keys);
  });

  it('aligns wide letters by what they cover on the screen', () => {
    const lines = renderTable(columns, [['用户一二三', '7', 'x'], ['user', '12', 'y']], { widthMax: 100 });
    const starts = lines.slice(1).map((line) => stringWidth(line.slice(0, line.search(/[xy]$/))));
    expect(new Set(starts).size).toBe(1);
    expect(starts[0]).toBe(26 + 1 + 2 + 1);
  });

  it('gives up its usual widths on a narrow terminal', () => {
    const rows = [['a-key', '1', 'f']];
    expect(renderTable(columns, rows, { widthMax: 100 })[1]).toBe('a-key                      1 f');
    expect(renderTable(columns, rows, { widthMax: 20 })[1]).toBe('a-key 1 f');
  });

  it('shows control characters instead of obeying them', () => {
    expect(renderTable(columns, [['a\u001b[2Jb\n', '1', '']], { widthMax: 100 })[1]).toContain('a\\u001b[2Jb\\u000a');
  });
});

/** The table of results as text. */
import { isTooNoisy, verdictOf } from './statistics.mjs';

const MARKS = { goal: 'goal', pass: 'pass', miss: 'MISS', noisy: 'reference too noisy', limit: 'machine too noisy' };

/** Three significant digits, without a tail of zeros. */
export const short = (value) => (Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3))));

/**
 * Verdict of one row. A row without a ratio may have a limit in place of a reference: what the
 * machine did to an idle process; from half the floor on, the floor cannot be judged.
 */
export function judge(row, result) {
  if (result.referenceIsLimit === true) {
    const mark = verdictOf({ value: result.value, floor: row.floor, goal: row.goal });
    return mark === 'miss' && result.reference.median > row.floor / 2 ? 'limit' : mark;
  }
  return verdictOf({ value: result.value, floor: row.floor, goal: row.goal, reference: result.reference, ratio: result.ratio });
}

function cellsOf({ row, result }) {
  if (result === undefined) return [row.what, row.against, short(row.floor), short(row.goal), '–', '–', '–', 'FAILED'];
  const { reference, unit } = result;
  const spread = reference === undefined ? '–' : `${short(reference.min)}–${short(reference.median)}–${short(reference.max)} ${unit}${isTooNoisy(reference) ? ' (!)' : ''}`;
  return [row.what, row.against, short(row.floor), short(row.goal), short(result.value), `${short(result.lowest)}–${short(result.highest)}`, spread, MARKS[judge(row, result)]];
}

const HEAD = ['what', 'against', 'floor', 'goal', 'measured', 'lowest–highest', 'reference min–median–max', ''];

/** As Markdown, so that it can be put into a page as it is. @param measured rows with their results */
export function tableOf(measured) {
  const lines = [HEAD, ...measured.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((cells) => cells[column].length), 3));
  const format = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const [head, ...body] = lines;
  return [format(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...body.map(format)].join('\n');
}

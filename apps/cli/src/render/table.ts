/**
 * Tables in a fixed-width font.
 *
 * Widths are display columns, so wide letters line up. A cell is never cut: what identifies a row
 * must be readable whole, and a row stays one line for whoever greps it. A column is as wide as
 * its usual width or its longest cell; when the lines do not fit the terminal, the usual widths
 * give way.
 */
import type StringWidth from 'string-width';

let loadedWidth: typeof StringWidth | undefined;

/** Columns on the display. Loaded with the first table: a listing as JSON has none. */
function stringWidth(text: string): number {
  loadedWidth ??= module.require('string-width') as typeof StringWidth;
  return loadedWidth(text);
}

export interface Column {
  readonly title: string;
  /** Width that the column has when there is room; 0 for as narrow as its cells. */
  readonly usualWidth?: number;
  readonly align?: 'left' | 'right';
}

// C0, DEL and C1. Built from code points: the linter refuses control characters in a literal.
const CONTROLS = new RegExp(`[${String.fromCharCode(0)}-${String.fromCharCode(0x1f)}${String.fromCharCode(0x7f)}-${String.fromCharCode(0x9f)}]`, 'gu');

/** Control characters as `\u001b`, so that stored text can neither move the cursor nor look like other text. */
export function visible(text: string): string {
  return text.replace(CONTROLS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function pad(text: string, width: number, align: Column['align']): string {
  const gap = ' '.repeat(Math.max(0, width - stringWidth(text)));
  return align === 'right' ? gap + text : text + gap;
}

/**
 * @param separator blanks between two columns
 * @param widthMax columns of the terminal
 * @returns the lines, headings first, without trailing blanks
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { widthMax, separator = ' ' }: { readonly widthMax: number; readonly separator?: string },
): string[] {
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => row.map(visible))];
  const natural = columns.map((_, index) => Math.max(...lines.map((line) => stringWidth(line[index] ?? ''))));
  const usual = columns.map(({ usualWidth = 0 }, index) => Math.max(usualWidth, natural[index] ?? 0));
  const lineWidth = usual.reduce((sum, width) => sum + width + separator.length, -separator.length);
  const widths = lineWidth <= widthMax ? usual : natural;
  return lines.map((line) => line.map((cell, index) => pad(cell, widths[index] ?? 0, columns[index]?.align)).join(separator).trimEnd());
}

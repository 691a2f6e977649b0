/** What stands in one file; a link, a pipe and a file that has gone hold nothing. */
import * as fs from 'node:fs';
import type { Needles } from './needles';
import { openRegular } from './store-tree';

export function standsIn(file: string, needles: Needles): boolean {
  const fd = needles.isEmpty ? undefined : openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return false;
  try {
    return needles.findInFile(fd, 1).length > 0;
  } finally {
    fs.closeSync(fd);
  }
}

export function countIn(file: string, needles: Needles): number {
  if (needles.isEmpty) return 0;
  const fd = openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return 0;
  try {
    return needles.findInFile(fd).length;
  } finally {
    fs.closeSync(fd);
  }
}

export function sizeOf(file: string): number {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * Pieces of what a session says, taken from its files before they leave: the byte scan looks for them
 * where only names would not show that something was left. They live in memory only.
 */
import * as fs from 'node:fs';
import { openRegular } from './store-tree';

/** Pieces in all; more would make the scan of a large store slow and tell nothing new. */
export const PROBES_MAX = 256;
const PROBES_PER_FILE = 8;
/** Of a file's beginning and its end. */
const READ_BYTES = 256 * 1024;
const PROBE_CHARS = 40;
/** Text of messages: runs of it without quotes, escapes and line ends. */
const RUN = new RegExp(`"(?:text|content|summary|thinking)":"([^"\\\\]{${PROBE_CHARS},})`, 'g');

export function probesOf(files: readonly string[]): string[] {
  const probes = new Set<string>();
  for (const file of files) {
    if (probes.size >= PROBES_MAX) break;
    for (const probe of probesIn(file)) if (probes.size < PROBES_MAX) probes.add(probe);
  }
  return [...probes];
}

function probesIn(file: string): string[] {
  const fd = openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return [];
  try {
    const { size } = fs.fstatSync(fd);
    const runs = [...new Set([0, Math.max(0, size - READ_BYTES)])].flatMap((position) => {
      const bytes = Buffer.alloc(Math.min(READ_BYTES, size - position));
      const count = fs.readSync(fd, bytes, 0, bytes.length, position);
      return [...bytes.toString('utf8', 0, count).matchAll(RUN)].map(([, run = '']) => run.slice(0, PROBE_CHARS));
    });
    // The first and the last ones: what stands between was written by the same hands.
    return [...new Set(runs)].filter((run) => !run.includes('\ufffd')).filter((_run, index, all) => index < PROBES_PER_FILE / 2 || index >= all.length - PROBES_PER_FILE / 2);
  } finally {
    fs.closeSync(fd);
  }
}

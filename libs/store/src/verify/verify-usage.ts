/** Looks for lines of the usage ledger that cannot be read: sums pass over them, so somebody has to know. Reads only. */
import type { FileHandle } from 'node:fs/promises';
import * as path from 'node:path';
import { SessionError } from '@sessions/domain';
import { USAGE_FILE, type StoreLayout } from '../files/layout';
import { openInside } from '../files/safe-path';
import { USAGE_LINE_BYTES_MAX, isUsageLine } from '../session-index/usage-file';
import type { FindingList } from './findings';

const CHUNK_BYTES = 128 * 1024;
/** Lines that are named one by one; more are counted. */
export const USAGE_LINES_TOLD_MAX = 20;
const NEWLINE = 0x0a;

/** A last line without its newline is no finding: an append may be under way, and a torn one comes again from the journal. */
export async function verifyUsage({ layout, list }: { readonly layout: StoreLayout; readonly list: FindingList }): Promise<void> {
  const file = path.relative(layout.dir, path.join(layout.ownDir, USAGE_FILE));
  let handle;
  try {
    handle = await openInside(layout.dir, file);
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    list.add('not-a-regular-file', 'a link or device stands where the usage ledger would; it is never followed', { file });
    return;
  }
  if (!handle) return;
  let further = 0;
  let told = 0;
  try {
    for await (const { number, text } of linesOf(handle)) {
      if (text === '' || (text !== undefined && isUsageLine(text))) continue;
      if (told >= USAGE_LINES_TOLD_MAX) further += 1;
      else list.add('usage-line-unreadable', `line ${String(number)} of the usage ledger cannot be read; sums pass over it`, { file });
      told += 1;
    }
  } finally {
    await handle.close();
  }
  if (further > 0) list.add('usage-line-unreadable', `${String(further)} further lines of the usage ledger cannot be read`, { file });
}

/** Whole lines, counted from 1; without a text those that are too long. */
async function* linesOf(handle: FileHandle): AsyncGenerator<{ readonly number: number; readonly text: string | undefined }> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let rest: Buffer = Buffer.alloc(0);
  let isTooLong = false;
  let number = 0;
  for (;;) {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, null);
    if (bytesRead === 0) return;
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1 && end < bytesRead; end = chunk.indexOf(NEWLINE, start)) {
      const line = Buffer.concat([rest, chunk.subarray(start, end)]);
      yield { number: (number += 1), text: isTooLong || line.length > USAGE_LINE_BYTES_MAX ? undefined : line.toString('utf8') };
      rest = Buffer.alloc(0);
      isTooLong = false;
      start = end + 1;
    }
    rest = isTooLong ? rest : Buffer.concat([rest, chunk.subarray(start, bytesRead)]);
    if (rest.length <= USAGE_LINE_BYTES_MAX) continue;
    isTooLong = true;
    rest = Buffer.alloc(0);
  }
}

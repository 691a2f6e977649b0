/**
 * Entry of the thread that parses the values of a large import beside the thread that stores them:
 * it reads the ranges it is told of from the same open file and answers with each entry's columns.
 *
 * Started by ValueParserClient, which ends it. What can be lost when it dies: nothing, the importing
 * thread then parses by itself.
 */
import { readSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { SessionError } from '@sessions/domain';
import { importColumns } from './session-index/entry-columns';
import { parseEntryValue } from './sessions-file/scanner';
import type { ParsedValues, ValueParserData, ValueRanges } from './value-parser-client';

const { fd, port, answered } = workerData as ValueParserData;

port.on('message', (ranges: ValueRanges) => {
  port.postMessage(parsed(ranges));
  Atomics.add(answered, 0, 1);
  Atomics.notify(answered, 0);
});

function parsed({ keys, offsets, lengths }: ValueRanges): ParsedValues {
  try {
    const from = offsets[0] ?? 0;
    const last = keys.length - 1;
    const bytes = readRange(from, (offsets[last] ?? 0) + (lengths[last] ?? 0) - from);
    return {
      columns: keys.map((key, index) => {
        const offset = offsets[index] as number;
        return importColumns(key, parseEntryValue(bytes.subarray(offset - from, offset - from + (lengths[index] as number)), offset));
      }),
    };
  } catch (error) {
    if (!(error instanceof SessionError)) return { failure: error instanceof Error ? error.message : String(error) };
    const { message, facts, hint } = error;
    return { unreadable: { message, facts: { ...facts }, hint } };
  }
}

function readRange(from: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; ) {
    const count = readSync(fd, bytes, at, length - at, from + at);
    if (count === 0) throw new Error(`the sessions file became shorter while it was read`);
    at += count;
  }
  return bytes;
}

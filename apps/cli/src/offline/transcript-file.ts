/** A transcript read whole: its records, its active branch, its counts. Reading never repairs. */
import { errorCode } from '../error-code';
import { readRegularFile } from './read-regular-file';
import { SessionError, isJsonObject } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { realpathSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface TranscriptRecord {
  readonly line: JsonObject;
  /** Ordinal from 1 among message records; null for other records. */
  readonly seq: number | null;
}

export interface Transcript {
  /** Name inside the store's directory. */
  readonly file: string;
  readonly bytes: number;
  readonly records: readonly TranscriptRecord[];
  readonly lines: number;
  readonly malformedLines: number;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** The stored message of a record, or undefined for records that are none. */
export function messageOf(line: JsonObject): JsonObject | undefined {
  if (line['type'] === 'message' && isJsonObject(line['message'])) return line['message'];
  return line['type'] === undefined && text(line['role']) !== undefined ? line : undefined;
}

/** True unless a link leads from `name` out of `directory`. */
function staysInside(directory: string, name: string): boolean {
  const real = relative(realpathSync(directory), realpathSync(join(directory, name)));
  return real !== '' && !real.startsWith('..');
}

/** @returns undefined when there is no such file. @throws DAMAGED when it cannot be read */
export function readTranscript(directory: string, file: string): Transcript | undefined {
  let bytes: Buffer;
  try {
    if (!staysInside(directory, file)) {
      throw new SessionError('DAMAGED', `The transcript ${join(directory, file)} is a link out of its directory and is not followed.`, { facts: { file } });
    }
    bytes = readRegularFile(join(directory, file));
  } catch (error) {
    if (error instanceof SessionError) throw error;
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new SessionError('DAMAGED', `The transcript ${join(directory, file)} cannot be read (${errorCode(error) ?? 'unknown error'}).`, { facts: { file }, cause: error });
  }
  const records: TranscriptRecord[] = [];
  let malformedLines = 0;
  let messages = 0;
  const lines = bytes.toString('utf8').split('\n').filter((line) => line.trim() !== '');
  for (const line of lines) {
    const parsed = parseLine(line);
    if (parsed === undefined) malformedLines += 1;
    else records.push({ line: parsed, seq: messageOf(parsed) === undefined ? null : (messages += 1) });
  }
  return { file, bytes: bytes.length, records, lines: lines.length, malformedLines };
}

function parseLine(line: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The records from the root to the active leaf. The leaf is the last record that is not beside the
 * branch, unless a later `leaf` record names another; lines without an id follow one another.
 */
export function activeBranch(records: readonly TranscriptRecord[]): readonly TranscriptRecord[] {
  const branch: TranscriptRecord[] = [];
  let wanted: string | null | undefined;
  for (let at = records.length - 1; at >= 0 && wanted !== null; at -= 1) {
    const record = records[at];
    if (record === undefined || record.line['type'] === 'session') continue;
    const { line } = record;
    const id = text(line['id']);
    if (id === undefined) {
      branch.push(record);
    } else if (wanted === undefined && line['appendMode'] === 'side') {
      continue;
    } else if (wanted === undefined && line['type'] === 'leaf') {
      wanted = text(line['targetId']) ?? null;
    } else if (wanted === undefined || wanted === id) {
      branch.push(record);
      wanted = text(line['parentId']) ?? null;
    }
  }
  return branch.reverse();
}

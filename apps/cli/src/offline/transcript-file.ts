/** A transcript read whole: its lines and its counts. Reading never repairs. */
import { errorCode } from '../error-code';
import { readRegularFile } from './read-regular-file';
import { SessionError, parseTranscriptLine } from '@sessions/domain';
import type { ParsedLine } from '@sessions/domain';
import { realpathSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface Transcript {
  /** Name inside the store's directory. */
  readonly file: string;
  readonly bytes: number;
  /** In file order, blank ones included. */
  readonly lines: readonly ParsedLine[];
  /** Ordinals from 1 of the message records, by line number. */
  readonly seqs: ReadonlyMap<number, number>;
  /** Lines that are not blank. */
  readonly linesCount: number;
  readonly malformedLines: number;
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
  const lines = bytes.toString('utf8').split('\n').map((text, index) => parseTranscriptLine(text, index + 1));
  const messages = lines.filter((line) => line.ok && line.message !== undefined);
  return {
    file,
    bytes: bytes.length,
    lines,
    seqs: new Map(messages.map((line, index) => [line.number, index + 1])),
    linesCount: lines.filter((line) => line.ok || line.why !== 'blank').length,
    malformedLines: lines.filter((line) => !line.ok && line.why !== 'blank').length,
  };
}

/**
 * `sessions.json` as a value, or the reason why it is none. Nothing is repaired, nothing written.
 */
import { errorCode } from '../error-code';
import { NOT_REGULAR, readRegularFile } from './read-regular-file';
import { SessionError, isJsonObject } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const BOM = '\uFEFF';
const TRANSCRIPT_NAME = /\.jsonl$/u;

function unreadable(path: string, why: string, cause?: unknown): SessionError {
  return new SessionError('STORE_UNREADABLE', `The session store ${path} cannot be read: ${why}.`, {
    facts: { path, why },
    hint: 'Nothing was changed. "openclaw sessions verify" says what is left of it; "openclaw sessions verify --repair" mends it.',
    cause,
  });
}

/** What stands beside a missing file and shows that sessions have been there. */
function tracesBeside(path: string): string | undefined {
  const directory = dirname(path);
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw unreadable(path, `its directory cannot be read (${errorCode(error) ?? 'unknown error'})`, error);
  }
  const transcripts = names.filter((name) => TRANSCRIPT_NAME.test(name)).length;
  if (transcripts > 0) return `${transcripts} ${transcripts === 1 ? 'transcript stands' : 'transcripts stand'} beside it`;
  const own = basename(path) === 'sessions.json' ? '.store' : `.store-${basename(path)}`;
  return names.includes(own) ? `${join(directory, own)} stands beside it` : undefined;
}

const FAULTS: Readonly<Record<string, string>> = {
  EISDIR: 'it is a directory',
  [NOT_REGULAR]: 'it is no regular file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOTDIR: 'a part of its path is no directory',
  ELOOP: 'its path is a loop of links',
  ERR_STRING_TOO_LONG: 'it is too large to be read whole',
  ERR_FS_FILE_TOO_LARGE: 'it is too large to be read whole',
};

/**
 * @returns key → value as stored, in store order; undefined for a store that never was
 * @throws STORE_UNREADABLE
 */
export function readSessionsFile(path: string): JsonObject | undefined {
  let text: string;
  try {
    text = readRegularFile(path).toString('utf8');
  } catch (error) {
    const code = errorCode(error) ?? 'unknown error';
    if (code !== 'ENOENT') throw unreadable(path, FAULTS[code] ?? code, error);
    const traces = tracesBeside(path);
    if (traces === undefined) return undefined;
    throw unreadable(path, `it is missing although ${traces}`, error);
  }
  if (text === '' || text === BOM) throw unreadable(path, 'it is empty');
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith(BOM) ? text.slice(BOM.length) : text);
  } catch (error) {
    const why = text.includes('\0') ? 'it holds NUL bytes' : 'it is not valid JSON, perhaps cut short';
    throw unreadable(path, why, error);
  }
  if (isJsonObject(value)) return value;
  throw unreadable(path, Array.isArray(value) ? 'it holds an array, not an object' : 'it holds no object');
}

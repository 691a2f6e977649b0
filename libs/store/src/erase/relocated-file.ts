/**
 * A trajectory that its pointer says stands elsewhere. Anybody may have written a pointer, so the file has
 * to prove it: it begins as a trajectory of the session that the pointer names.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isJsonObject } from '@sessions/domain';
import { TRAJECTORY_SCHEMA } from '../trajectory/trajectory-file';
import { openRegular } from './store-tree';

const POINTER_BYTES_MAX = 64 * 1024;
const PROOF_BYTES = 4096;

/**
 * @param isMeant of the session that the pointer names
 * @returns the regular file that a pointer names; undefined for everything else
 */
export function relocatedFile(pointer: string, isMeant: (sessionId: string) => boolean): string | undefined {
  if (!pointer.endsWith('.trajectory-path.json') && !/\.trajectory-path\.json\.(?:reset|deleted|bak)\./.test(pointer)) return undefined;
  try {
    const found = fs.lstatSync(pointer);
    if (!found.isFile() || found.size > POINTER_BYTES_MAX) return undefined;
    const value: unknown = JSON.parse(fs.readFileSync(pointer, 'utf8'));
    if (!isJsonObject(value)) return undefined;
    const { sessionId, runtimeFile } = value;
    if (typeof sessionId !== 'string' || !isMeant(sessionId) || typeof runtimeFile !== 'string' || !path.isAbsolute(runtimeFile) || !runtimeFile.endsWith('.jsonl')) return undefined;
    // Beside its pointer it is a file of the store, with a place of its own.
    if (path.dirname(runtimeFile) === path.dirname(pointer)) return undefined;
    return isTrajectoryOf(runtimeFile, sessionId) ? runtimeFile : undefined;
  } catch {
    return undefined;
  }
}

/** Its first line stands at the beginning of the file; a long one has its head in what is read. */
function isTrajectoryOf(file: string, sessionId: string): boolean {
  const fd = openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return false;
  try {
    const bytes = Buffer.alloc(PROOF_BYTES);
    const [first = ''] = bytes.toString('utf8', 0, fs.readSync(fd, bytes, 0, bytes.length, 0)).split('\n', 1);
    return first.includes(`"traceSchema":${JSON.stringify(TRAJECTORY_SCHEMA)}`) && first.includes(`"sessionId":${JSON.stringify(sessionId)}`);
  } finally {
    fs.closeSync(fd);
  }
}

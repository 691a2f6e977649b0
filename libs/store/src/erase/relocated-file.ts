/** A trajectory that its pointer says stands elsewhere; proven when the pointer names the session whose it is. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isJsonObject } from '@sessions/domain';

const POINTER_BYTES_MAX = 64 * 1024;

/** @returns the regular file that a pointer of one of these sessions names; undefined for everything else. */
export function relocatedFile(pointer: string, ids: ReadonlySet<string>): string | undefined {
  if (!pointer.endsWith('.trajectory-path.json') && !/\.trajectory-path\.json\.(?:reset|deleted|bak)\./.test(pointer)) return undefined;
  try {
    const found = fs.lstatSync(pointer);
    if (!found.isFile() || found.size > POINTER_BYTES_MAX) return undefined;
    const value: unknown = JSON.parse(fs.readFileSync(pointer, 'utf8'));
    if (!isJsonObject(value)) return undefined;
    const { sessionId, runtimeFile } = value;
    if (typeof sessionId !== 'string' || !ids.has(sessionId) || typeof runtimeFile !== 'string' || !path.isAbsolute(runtimeFile) || !runtimeFile.endsWith('.jsonl')) return undefined;
    // Beside its pointer it is a file of the store, with a place of its own.
    if (path.dirname(runtimeFile) === path.dirname(pointer)) return undefined;
    return fs.lstatSync(runtimeFile).isFile() ? runtimeFile : undefined;
  } catch {
    return undefined;
  }
}

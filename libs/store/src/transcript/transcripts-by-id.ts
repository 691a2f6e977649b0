/**
 * Which transcripts stand in a store's directory, by the session ids in their names: how a session's earlier
 * transcripts are found that its entry names by their ids alone. Costs a look at every name.
 */
import { readdirSync } from 'node:fs';
import * as path from 'node:path';
import { parseStoreFile } from '@sessions/domain';
import { hasErrorCode } from '../files/file-system';

const FOLDERS = ['', 'transcripts'];

/** @returns names inside the directory. */
export function transcriptsById(dir: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const folder of FOLDERS) {
    for (const name of namesIn(path.join(dir, folder))) {
      const file = path.posix.join(folder, name);
      const parsed = parseStoreFile(file);
      if (parsed?.kind !== 'transcript') continue;
      for (const id of parsed.sessionIds) found.set(id, [...(found.get(id) ?? []), file]);
    }
  }
  return found;
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

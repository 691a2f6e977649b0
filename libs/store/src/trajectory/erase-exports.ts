/**
 * Bundles that were exported of sessions which are erased: they hold the whole conversation, in the
 * workspace, outside of the store. What a bundle is of stands in its manifest; a directory without one that
 * can be read was made by somebody else, and stays.
 */
import { lstat, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject } from '@sessions/domain';
import { errorCodeOf } from '../files/error-code';
import { assertRealDirectory } from '../files/real-directories';
import { EXPORT_FOLDERS } from './export-trajectory';

/** A manifest has some hundred bytes and a line a file; a larger one is none. */
const MANIFEST_BYTES_MAX = 1024 * 1024;

export interface ErasedExports {
  readonly files: number;
  readonly bytes: number;
}

/**
 * @param workspace absolute
 * @param isMeant of the session key that a bundle names
 * @param dryRun nothing is removed
 * @throws DAMAGED where a link stands in place of a directory on the way
 */
export async function eraseExports(workspace: string, isMeant: (sessionKey: string) => boolean, dryRun: boolean): Promise<ErasedExports> {
  let [files, bytes] = [0, 0];
  let place = workspace;
  for (const folder of EXPORT_FOLDERS) {
    place = join(place, folder);
    await assertRealDirectory(place);
  }
  for (const name of await directoriesIn(place)) {
    const bundle = join(place, name);
    const key = await sessionKeyOf(bundle);
    if (key === undefined || !isMeant(key)) continue;
    for (const item of await readdir(bundle, { withFileTypes: true, recursive: true })) {
      if (!item.isFile()) continue;
      files += 1;
      bytes += (await lstat(join(item.parentPath, item.name))).size;
    }
    if (!dryRun) await rm(bundle, { recursive: true, force: true });
  }
  return { files, bytes };
}

async function directoriesIn(place: string): Promise<string[]> {
  try {
    return (await readdir(place, { withFileTypes: true })).filter((item) => item.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function sessionKeyOf(bundle: string): Promise<string | undefined> {
  const file = join(bundle, 'manifest.json');
  try {
    const found = await lstat(file);
    if (!found.isFile() || found.size > MANIFEST_BYTES_MAX) return undefined;
    const manifest: unknown = JSON.parse(await readFile(file, 'utf8'));
    const key = isJsonObject(manifest) ? manifest['sessionKey'] : undefined;
    return typeof key === 'string' ? key : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || errorCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * What was set aside in the moment its owner died: journalled, and in the archive manifest only when the
 * next owner has finished it. For readers beside no owner. Reads only.
 */
import * as path from 'node:path';
import { errorCodeOf } from '../files/error-code';
import type { FileSystem } from '../files/file-system';
import type { StoreLayout } from '../files/layout';
import { readJournal } from '../journal/replay';
import { openFileOps } from '../recovery';
import { toListed, type ListedArchive } from './list-archives';
import { parseManifestLine } from './manifest';

/** Newest first; those that the manifest names already are among them. */
export async function pendingArchives(fs: FileSystem, layout: StoreLayout): Promise<readonly ListedArchive[]> {
  let open;
  try {
    open = openFileOps((await readJournal(fs, layout.ownDir)).records);
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
  const lines = open.flatMap(({ ops }) => ops.flatMap((op) => (op.op === 'manifest' ? [parseManifestLine(op.line)] : [])));
  const listed = await Promise.all(
    lines.reverse().map((line) =>
      line === undefined
        ? undefined
        : toListed(line, async ({ from, to, bytes }) => {
            const sizes = await Promise.all([to, from].map(async (name) => (await fs.identify(path.join(layout.dir, name)).catch(() => undefined))?.size));
            return sizes.includes(bytes);
          }),
    ),
  );
  return listed.filter((archive) => archive !== undefined);
}

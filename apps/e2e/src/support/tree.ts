/** A directory tree as facts that can be compared: what is there, and every byte of it. */
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Path below the root to what stands there: a file's bytes (as latin1 text), `directory`, or where a link points. */
export function readTree(root: string, isWanted: (path: string) => boolean = () => true): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (dir: string): void => {
    for (const name of readdirSync(dir).sort()) {
      const path = join(dir, name);
      const below = relative(root, path);
      if (!isWanted(below)) continue;
      const stats = lstatSync(path, { throwIfNoEntry: false });
      // A lock that stands while bytes change may be gone by now.
      if (stats === undefined) continue;
      if (stats.isDirectory()) {
        found.set(below, 'directory');
        walk(path);
      } else if (stats.isSymbolicLink()) found.set(below, `link to ${readlinkSync(path)}`);
      else if (stats.isFile()) found.set(below, readFileSync(path, 'latin1'));
    }
  };
  walk(root);
  return found;
}

/**
 * `node ../../tools/bundle-threads.mjs`, in the store's directory after its compilation: the threads
 * that an opened store starts become one file each in its dist. A thread loads its modules anew each
 * time, and the domain and contracts whole would be most of what an opening costs.
 */
import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { STORE_THREADS, bundle } from './bundle.mjs';

const dist = path.resolve('dist');
const outdir = mkdtempSync(path.join(dist, 'next-'));
try {
  for (const entry of STORE_THREADS) await bundle(entry, outdir, ['better-sqlite3']);
  for (const name of readdirSync(outdir)) {
    renameSync(path.join(outdir, name), path.join(dist, name));
    // Of the compilation's output, and untrue now.
    rmSync(path.join(dist, `${name}.map`), { force: true });
  }
} finally {
  rmSync(outdir, { recursive: true, force: true });
}

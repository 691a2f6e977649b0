/**
 * `node ../../tools/bundle-app.mjs`, in the directory of an app: bundles src/main.ts into
 * dist/main.js, from the libraries' sources. An app that opens stores gets the store's threads
 * beside it, where an opened store looks for them.
 *
 * Files are written under another name and renamed, so that an app started meanwhile finds all of it.
 */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { STORE_THREADS, bundle } from './bundle.mjs';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const app = process.cwd();
const dist = path.join(app, 'dist');

/** Packages that find files of their own beside their code, or that are loaded only when configured. */
const { dependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));

const opensStores = JSON.parse(readFileSync(path.join(app, 'package.json'), 'utf8')).dependencies['@sessions/store-writer'] !== undefined;
const threads = opensStores ? STORE_THREADS : [];

mkdirSync(dist, { recursive: true });
const outdir = mkdtempSync(path.join(dist, 'next-'));
try {
  for (const entry of [path.join(app, 'src', 'main.ts'), ...threads]) {
    await bundle(entry, outdir, Object.keys(dependencies));
  }
  for (const name of readdirSync(outdir)) renameSync(path.join(outdir, name), path.join(dist, name));
} finally {
  rmSync(outdir, { recursive: true, force: true });
}

/**
 * `node ../../tools/bundle-app.mjs`, in the directory of an app: bundles src/main.ts into
 * dist/main.js, from the libraries' sources. An app that opens stores gets the store's threads
 * beside it, where an opened store looks for them.
 *
 * Files are written under another name and renamed, so that an app started meanwhile finds all of it.
 */
import { build } from 'esbuild';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const app = process.cwd();
const dist = path.join(app, 'dist');
const libraries = path.join(ROOT, 'libs') + path.sep;
const STORE_THREADS = ['index-worker', 'value-parser'];

/** Packages that find files of their own beside their code, or that are loaded only when configured. */
const { dependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));

/** The libraries do nothing when they are loaded, so what an app does not use is left out of it. */
const pureLibraries = {
  name: 'pure-libraries',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^(@sessions\/|\.)/ }, async ({ path: wanted, pluginData, ...args }) => {
      if (pluginData === 'resolving' || !(wanted.startsWith('@sessions/') || args.importer.startsWith(libraries))) return undefined;
      const found = await resolve(wanted, { ...args, pluginData: 'resolving' });
      return { ...found, sideEffects: false };
    });
  },
};

const opensStores = JSON.parse(readFileSync(path.join(app, 'package.json'), 'utf8')).dependencies['@sessions/store-writer'] !== undefined;
const threads = opensStores ? STORE_THREADS.map((name) => path.join(libraries, 'store', 'src', `${name}.ts`)) : [];

mkdirSync(dist, { recursive: true });
const outdir = mkdtempSync(path.join(dist, 'next-'));
try {
  for (const entry of [path.join(app, 'src', 'main.ts'), ...threads]) {
    await build({
      entryPoints: [entry],
      outdir,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      conditions: ['@sessions/source'],
      external: Object.keys(dependencies),
      plugins: [pureLibraries],
      logLevel: 'warning',
      legalComments: 'none',
    });
  }
  for (const name of readdirSync(outdir)) renameSync(path.join(outdir, name), path.join(dist, name));
} finally {
  rmSync(outdir, { recursive: true, force: true });
}

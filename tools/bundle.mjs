/** How programs of this workspace become one file each: from the libraries' sources, with only what they use. */
import { build } from 'esbuild';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const libraries = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), 'libs') + path.sep;

/** Entries of the threads that an opened store starts; it looks for them beside itself. */
export const STORE_THREADS = ['index-worker', 'value-parser'].map((name) => path.join(libraries, 'store', 'src', `${name}.ts`));

/** Characters of a line in a bundle, roughly. */
const SOURCE_LINE_MAX = 160;

/** The libraries do nothing when they are loaded, so what a program does not use is left out of it. */
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

/** @param external packages that stay what they are: they find files of their own beside their code, or are loaded only when configured */
export async function bundle(entry, outdir, external) {
  await build({
    entryPoints: [entry],
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    conditions: ['@sessions/source'],
    external,
    plugins: [pureLibraries],
    logLevel: 'warning',
    legalComments: 'none',
    // V8 keeps a program's source in memory, and all of it at two bytes a character if one comment has
    // a character beyond Latin-1. Names stay, and lines that a stack trace can point into.
    minifyWhitespace: true,
    lineLimit: SOURCE_LINE_MAX,
  });
}

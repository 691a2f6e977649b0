/**
 * Bundles the command line into dist/: one file for the start and the listing, with the code that V8
 * makes of it, one for the command
 * parser, one for each command, and the store's threads beside the commands, where an opened store
 * looks for them. Code is read from the libraries' sources, so a bundle is never older than they are.
 */
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');
const libraries = join(here, '..', '..', 'libs') + sep;
const source = (name) => join(here, 'src', name);

/** The libraries do nothing when they are loaded, so what a command does not use is left out of it. */
const pureLibraries = {
  name: 'pure-libraries',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^(@sessions\/|\.)/ }, async ({ path, pluginData, ...args }) => {
      if (pluginData === 'resolving' || !(path.startsWith('@sessions/') || args.importer.startsWith(libraries))) return undefined;
      const found = await resolve(path, { ...args, pluginData: 'resolving' });
      return { ...found, sideEffects: false };
    });
  },
};

const shared = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  conditions: ['@sessions/source'],
  // Packages that find files of their own beside their code, and those that only the gateway needs.
  external: ['better-sqlite3', './program', '@grpc/grpc-js', '@grpc/reflection', 'grpc-health-check', 'pino', 'prom-client', 'fastify', 'nats', '@opentelemetry/*'],
  plugins: [pureLibraries],
  logLevel: 'warning',
  sourcemap: false,
  legalComments: 'none',
};

/** Puts every file of `from` in its place below `to` by renaming, so that a command started meanwhile finds all of it. */
function moveInto(from, to) {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) moveInto(join(from, entry.name), join(to, entry.name));
    else renameSync(join(from, entry.name), join(to, entry.name));
  }
}

/** The store library as one file beside its index worker, only for the build. */
async function storeForWarming(outdir) {
  const outfile = join(outdir, 'commands', 'store.cjs');
  await build({ ...shared, entryPoints: [join(libraries, 'store', 'src', 'index.ts')], outfile });
  return outfile;
}

/** The start's bundle gets its hash as its name, its compiled code beside it, and main.js becomes what loads both. */
function addLauncher(outdir, storeBundle) {
  const bundled = readFileSync(join(outdir, 'main.js'), 'utf8');
  const wrapped = `(function (exports, require, module, __filename, __dirname) {${bundled}\n})`;
  const name = `start.${createHash('sha256').update(wrapped).digest('hex').slice(0, 16)}`;
  writeFileSync(join(outdir, `${name}.js`), wrapped);
  writeFileSync(join(outdir, 'main.js'), readFileSync(join(here, 'launch.cjs'), 'utf8').replace('@START@', name));
  const directory = mkdtempSync(join(tmpdir(), 'warm-start-'));
  try {
    const { status, stderr } = spawnSync(process.execPath, [join(here, 'warm-start.cjs'), join(outdir, `${name}.js`), join(outdir, `${name}.cache`), storeBundle, directory], { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
    // The command works without it, only slower: a build is not refused for that.
    if (status !== 0) process.stderr.write(`no compiled code for the start of the command line: ${stderr}\n`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
    rmSync(storeBundle, { force: true });
  }
}

/** A command that began before this build may still be reading the older files. */
const OLD_AFTER_MS = 60_000;

function dropOldStarts(launcher) {
  for (const name of readdirSync(dist).filter((entry) => /^start\.[0-9a-f]+\.(js|cache)$/.test(entry))) {
    const isCurrent = launcher.includes(name.slice(0, name.lastIndexOf('.')));
    if (!isCurrent && Date.now() - statSync(join(dist, name)).mtimeMs > OLD_AFTER_MS) rmSync(join(dist, name), { force: true });
  }
}

/** Also jest's global set-up, so that tests of the built command never meet an old one. */
export default async function bundle() {
  const commands = readdirSync(source('commands')).filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'));
  mkdirSync(dist, { recursive: true });
  const outdir = mkdtempSync(join(dist, 'next-'));
  try {
    // The listing's own file holds the driver's JavaScript too: ten small files less to find at each start.
    await build({ ...shared, external: ['./program', 'better-sqlite3/build/Release/better_sqlite3.node'], minifyWhitespace: true, minifySyntax: true, entryPoints: [source('main.ts')], outdir });
    await build({ ...shared, entryPoints: [source('program.ts'), ...commands.map((name) => source(join('commands', name)))], outdir, outbase: join(here, 'src') });
    for (const thread of ['index-worker', 'value-parser']) {
      await build({ ...shared, entryPoints: [join(libraries, 'store', 'src', `${thread}.ts`)], outfile: join(outdir, 'commands', `${thread}.js`) });
    }
    addLauncher(outdir, await storeForWarming(outdir));
    moveInto(outdir, dist);
    dropOldStarts(readFileSync(join(dist, 'main.js'), 'utf8'));
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();

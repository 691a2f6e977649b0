/**
 * The build, skipped when no source has changed since the last one.
 *
 * `node_modules/.setup-stamp` holds the hash of everything that the build reads; it is written
 * after a build that ended well and never before. Deleting it, or the bundle of
 * the command line, brings the build back.
 */
import { run, say } from './say.mjs';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const FOLDERS = ['apps', 'libs', 'proto'];
const FILES = ['nx.json', 'package.json', 'package-lock.json', 'tsconfig.base.json', 'tsconfig.json'];
/** Results and installed packages, which no build reads from here. */
const SKIPPED = new Set(['dist', 'node_modules', '.nx', 'coverage']);
const STAMP = 'node_modules/.setup-stamp';
/** The command line is built from every library; with its bundle there, all are. */
const TARGET = 'cli:build';
const BUNDLE = 'apps/cli/dist/main.js';

/** Every file below `folder`, in a stable order. */
function* filesBelow(folder) {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const full = path.join(folder, entry.name);
    if (entry.isFile()) yield full;
    else if (entry.isDirectory() && !SKIPPED.has(entry.name)) yield* filesBelow(full);
  }
}

/** Hash of names and contents of all that the build reads, and of the Node version. */
export function hashSources(root) {
  const hash = createHash('sha256').update(process.version);
  const folders = FOLDERS.map((name) => path.join(root, name)).filter(existsSync);
  const files = [...FILES.map((name) => path.join(root, name)).filter(existsSync), ...folders.flatMap((one) => [...filesBelow(one)])];
  for (const file of files) {
    const bytes = readFileSync(file);
    hash.update(`\0${path.relative(root, file)}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

function readStamp(root) {
  try {
    return readFileSync(path.join(root, STAMP), 'utf8');
  } catch {
    return undefined;
  }
}

/** Builds what runs with Nx when the sources differ from those last built. */
export function build(root) {
  const sources = hashSources(root);
  if (readStamp(root) === sources && existsSync(path.join(root, BUNDLE))) return;
  say('building');
  run(process.execPath, ['node_modules/nx/dist/bin/nx.js', 'run', TARGET, '--output-style=static'], {
    cwd: root,
    env: { ...process.env, NX_DAEMON: 'false' },
  });
  writeFileSync(path.join(root, STAMP), sources);
}

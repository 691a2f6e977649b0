/**
 * The build, skipped when no source has changed since the last one.
 *
 * A stamp in `node_modules` holds the hash of everything that the build reads; it is written after
 * a build that ended well and never before. Deleting it, or a bundle that it stands for, brings the
 * build back.
 */
import { run, say } from './say.mjs';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const FOLDERS = ['apps', 'libs', 'proto'];
const FILES = ['nx.json', 'package.json', 'package-lock.json', 'tsconfig.base.json', 'tsconfig.json'];
/** Results and installed packages, which no build reads from here. */
const SKIPPED = new Set(['dist', 'node_modules', '.nx', 'coverage']);

/** The command line is built from every library; with its bundle there, all are. */
export const COMMAND_LINE = { stamp: 'node_modules/.setup-stamp', projects: ['cli'], bundles: ['apps/cli/dist/main.js'] };

/** The apps of the split deployment, by their directories. */
export const APPS = ['router', 'store-writer', 'maintenance-scheduler', 'compaction-worker', 'agent-runner'];
export const SPLIT_APPS = {
  stamp: 'node_modules/.setup-stamp-split',
  projects: APPS.map((app) => `${app}-app`),
  bundles: APPS.map((app) => `apps/${app}/dist/main.js`),
};

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

function readStamp(root, stamp) {
  try {
    return readFileSync(path.join(root, stamp), 'utf8');
  } catch {
    return undefined;
  }
}

/** Builds what runs with Nx when the sources differ from those last built. */
export function build(root, { stamp, projects, bundles } = COMMAND_LINE) {
  const sources = hashSources(root);
  if (readStamp(root, stamp) === sources && bundles.every((bundle) => existsSync(path.join(root, bundle)))) return;
  say('building');
  run(process.execPath, ['node_modules/nx/dist/bin/nx.js', 'run-many', '-t', 'build', '-p', projects.join(','), '--output-style=static'], {
    cwd: root,
    env: { ...process.env, NX_DAEMON: 'false' },
  });
  writeFileSync(path.join(root, stamp), sources);
}

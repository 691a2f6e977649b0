/**
 * `npm run setup`: everything that a checkout needs before it runs, and nothing twice.
 *
 * Checks Node, installs the dependencies when they differ from the lock, builds what has changed.
 * When nothing has changed it reads and hashes the sources and ends, in well under two seconds.
 */
import { SetupError, say } from './setup/say.mjs';
import { build } from './setup/build.mjs';
import { installDependencies } from './setup/dependencies.mjs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** As `engines.node` of package.json. */
const NODE_MAJOR = 20;
const NODE_MINOR_MIN = 19;

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major !== NODE_MAJOR || minor < NODE_MINOR_MIN) {
    throw new SetupError(`Node ${NODE_MAJOR}.${NODE_MINOR_MIN} or a later ${NODE_MAJOR}.x is needed; this is ${process.versions.node}.`);
  }
}

/** Brings the checkout into a state that runs; ends the process with exit 1 and a sentence when that fails. */
export function setUp() {
  try {
    checkNode();
    installDependencies(ROOT);
    build(ROOT);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exit(1);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const startedAtMs = performance.now();
  setUp();
  say(`ready (${((performance.now() - startedAtMs) / 1000).toFixed(1)} s)`);
}

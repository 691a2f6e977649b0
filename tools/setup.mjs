/**
 * `npm run setup`: everything that a checkout needs before it runs, and nothing twice.
 *
 * Checks Node, installs the dependencies when they differ from the lock, builds what has changed.
 * When nothing has changed it reads and hashes the sources and ends, in well under two seconds.
 */
import { SetupError, say } from './setup/say.mjs';
import { SPLIT_APPS, build } from './setup/build.mjs';
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

/** Runs the steps; a condition that the user has to change is said in a sentence and ends them. */
function take(...steps) {
  try {
    for (const step of steps) step(ROOT);
    return true;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    return false;
  }
}

/** Node and the dependencies, without the build. @returns false when something is missing; it has been said */
export const prepareDependencies = () => take(checkNode, installDependencies);

/** Brings the checkout into a state that runs, or ends the process with exit 1 and a sentence. */
export function setUp() {
  if (!take(checkNode, installDependencies, build)) process.exit(1);
}

/** The same, and the apps of the split deployment. */
export function setUpSplit() {
  if (!take(checkNode, installDependencies, build, (root) => build(root, SPLIT_APPS))) process.exit(1);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const startedAtMs = performance.now();
  setUp();
  say(`ready (${((performance.now() - startedAtMs) / 1000).toFixed(1)} s)`);
}

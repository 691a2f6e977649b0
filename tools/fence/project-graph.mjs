/**
 * Nx's project graph, computed afresh and put where the boundary rule looks for it.
 *
 * The rule silently checks nothing when it finds no graph, and takes one from the globals only in a
 * process that looks like ESLint's own command line; both are arranged here, so that a check that
 * uses this module cannot pass by being skipped.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

export const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

const require = createRequire(import.meta.url);

process.env.NX_DAEMON = 'false';
process.chdir(ROOT);
process.argv[1] = path.join(ROOT, 'node_modules', 'eslint', 'bin', 'eslint.js');

const { createProjectGraphAsync } = require('@nx/devkit');
const { createProjectRootMappings, readFileMapCache } = require('@nx/devkit/internal');
const { TargetProjectLocator } = require('@nx/js/internal');

/** @returns the graph of the files as they are now: `nodes`, `externalNodes`, `dependencies`. */
export async function freshGraph() {
  return createProjectGraphAsync({ exitOnError: false, resetDaemonClient: false });
}

/** Makes `graph` the one that the boundary rule judges by, until the next call. */
export function judgeBy(graph) {
  globalThis.projectGraph = graph;
  globalThis.projectRootMappings = createProjectRootMappings(graph.nodes);
  globalThis.projectFileMap = readFileMapCache().fileMap.projectFileMap;
  globalThis.targetProjectLocator = new TargetProjectLocator(graph.nodes, graph.externalNodes);
}

/**
 * The boundary check of continuous integration: every source file against the fence, uncached.
 *
 * Lint results are cached by a project's own files, but a path to forbidden code can open in
 * another project; so the fence is walked once more here, with a graph computed afresh. A project
 * that escapes it by carrying no tag is refused too.
 *
 * Exit 0 and one line with the counts, or exit 1 and one line for each breach.
 */
import { ESLint } from 'eslint';
import { ROOT, freshGraph, judgeBy } from './fence/project-graph.mjs';
import path from 'node:path';

const FENCE_RULES = new Set([
  '@nx/enforce-module-boundaries',
  'no-restricted-imports',
  'no-restricted-globals',
  'no-restricted-properties',
  'no-restricted-syntax',
]);

/** Tags that a project needs for the rows of the fence to apply to it. */
function missingTags({ name, data }) {
  const tags = data.tags ?? [];
  const problems = [];
  if (!tags.some((tag) => tag.startsWith('layer:'))) problems.push(`project ${name} has no layer: tag`);
  const outside = tags.includes('layer:e2e') || tags.includes('layer:tool');
  if (!outside && !tags.some((tag) => tag.startsWith('scope:'))) problems.push(`project ${name} has no scope: tag`);
  return problems;
}

const graph = await freshGraph();
judgeBy(graph);
const projects = Object.values(graph.nodes);
const breaches = projects.flatMap(missingTags);

const eslint = new ESLint({ cwd: ROOT });
const results = await eslint.lintFiles(['libs', 'apps', 'tools']);
for (const { filePath, messages } of results) {
  for (const { ruleId, message, line, fatal } of messages) {
    if (fatal || FENCE_RULES.has(ruleId)) breaches.push(`${path.relative(ROOT, filePath)}:${line} ${message}`);
  }
}
for (const breach of breaches) console.error(breach);
console.log(`${projects.length} projects, ${results.length} files, ${breaches.length} breaches of the fence`);
process.exitCode = breaches.length === 0 && results.length > 0 ? 0 : 1;

/**
 * Lints pieces of source that exist only in memory, through the workspace's own configuration.
 *
 * stdin: JSON array of { file, text, plant?, cut?, tags? }
 *   file   where the source would be, from the workspace root
 *   plant  [from, to] pairs: edges to add to the project graph for this case
 *   cut    projects whose outgoing edges are left out, because a cycle hides every other message
 *   tags   project -> the tags that it carries in this case, in place of its own
 * stdout: JSON array, one array of { ruleId, message, severity } a case, in the same order.
 *
 * A process of its own because the configuration is an ES module, which jest cannot load.
 */
import { ESLint } from 'eslint';
import { ROOT, freshGraph, judgeBy } from './project-graph.mjs';
import path from 'node:path';
import { text as readAll } from 'node:stream/consumers';

const cases = JSON.parse(await readAll(process.stdin));
const graph = await freshGraph();
const eslint = new ESLint({ cwd: ROOT });

const answers = [];
for (const { file, text, plant = [], cut = [], tags = {} } of cases) {
  const dependencies = { ...graph.dependencies };
  for (const project of cut) dependencies[project] = [];
  for (const [source, target] of plant) {
    dependencies[source] = [...(dependencies[source] ?? []), { source, target, type: 'static' }];
  }
  const nodes = { ...graph.nodes };
  for (const [project, given] of Object.entries(tags)) {
    nodes[project] = { ...nodes[project], data: { ...nodes[project].data, tags: given } };
  }
  judgeBy({ ...graph, nodes, dependencies });
  const [result] = await eslint.lintText(text, { filePath: path.join(ROOT, file), warnIgnored: true });
  answers.push(result.messages.map(({ ruleId, message, severity }) => ({ ruleId, message, severity })));
}
process.stdout.write(JSON.stringify(answers));

/** One measurement in a process of its own: `run-measure.mjs <task as JSON>`; answers over IPC. */
import { createContext } from './context.mjs';
import { say } from './sampling.mjs';
import { rmSync } from 'node:fs';

const { name, directory, quick } = JSON.parse(process.argv[2]);
const notices = [];
const context = createContext({ directory, quick, notice: (sentence) => notices.push(sentence) });
try {
  const measure = await import(new URL(`./measures/${name}.mjs`, import.meta.url).href);
  const results = await measure.run(context);
  if (results.length !== measure.rows.length) throw new Error(`${name} has ${measure.rows.length} rows and measured ${results.length}`);
  await say({ results, notices });
} catch (error) {
  await say({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error), notices });
  process.exitCode = 1;
} finally {
  rmSync(context.scratch, { recursive: true, force: true });
}
// A measurement that failed half-way may have left stores open; they end with the process.
process.exit();

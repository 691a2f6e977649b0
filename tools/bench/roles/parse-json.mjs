/** Reads a file and parses it whole: the reference for opening a foreign store. No file: the bare process. */
import { readFileSync } from 'node:fs';
import { peakMemory, say, task, timed } from '../sampling.mjs';

const { file } = task();
let parsed;
const tookMs = await timed(() => {
  if (file !== undefined) parsed = JSON.parse(readFileSync(file, 'utf8'));
});
await say({ tookMs, peakBytes: peakMemory(), entries: Object.keys(parsed ?? {}).length });
process.disconnect();

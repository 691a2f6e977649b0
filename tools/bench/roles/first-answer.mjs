/** Opens a store and lists it: when did the first answer come, and at which peak of memory? */
import { open } from '../context.mjs';
import { peakMemory, say, task, timed } from '../sampling.mjs';

const { sessionsFile } = task();
let store;
const tookMs = await timed(async () => {
  store = await open(sessionsFile);
  await store.list({ limit: 100 });
});
const peakBytes = peakMemory();
await store.close();
await say({ tookMs, peakBytes });
process.disconnect();

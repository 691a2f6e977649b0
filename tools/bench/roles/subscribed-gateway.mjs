/**
 * A gateway of one process on a store of its own, which watches itself while others talk to it: says
 * where it listens, and when it is told to, that it began to watch, and what it saw.
 */
import { watchLoopDelay } from '@sessions/host';
import { peakMemory, say, task } from '../sampling.mjs';
import { startServices } from '../standalone.mjs';
import { watchEventLoop } from '../stalls.mjs';

const services = await startServices(task().stateDir);
let watch;
let delay;
process.on('message', async (word) => {
  if (word === 'watch') {
    globalThis.gc?.();
    watch = watchEventLoop();
    delay = watchLoopDelay();
    await say({ residentBytes: process.memoryUsage().rss });
    return;
  }
  const { longestMs, atMs } = watch.stop();
  const percentiles = [0.5, 0.99, 0.999, 1].map((share) => delay.quantileMs(share));
  delay.stop();
  await say({ longestMs, atMs, percentiles, residentBytes: process.memoryUsage().rss, peakBytes: peakMemory() });
  await services.stop();
  process.disconnect();
});
await say({ url: services.url });

/**
 * A gateway of one process on a store of its own, which watches itself while others talk to it: says
 * where it listens, and when it is told to, that it began to watch, and what it saw.
 */
import { peakMemory, say, task } from '../sampling.mjs';
import { startServices } from '../standalone.mjs';
import { watchEventLoop } from '../stalls.mjs';

const services = await startServices(task().stateDir);
let watch;
// Whoever asked for it has gone: nobody else ends it.
process.on('disconnect', () => process.exit());
process.on('message', async (word) => {
  if (word === 'measure') return say({ residentBytes: process.memoryUsage().rss });
  if (word === 'watch') {
    watch = watchEventLoop();
    // Its own figures begin here too.
    await services.metrics.text();
    return say({ watching: true });
  }
  const watched = watch.stop();
  const text = await services.metrics.text();
  const quantilesMs = ['0.5', '0.99', '1'].map((share) => 1000 * Number(new RegExp(`loop_delay_seconds\\{[^}]*quantile="${share}"[^}]*\\} (\\S+)`).exec(text)[1]));
  await say({ ...watched, quantilesMs, residentBytes: process.memoryUsage().rss, peakBytes: peakMemory() });
  await services.stop();
  process.disconnect();
});
await say({ url: services.url });

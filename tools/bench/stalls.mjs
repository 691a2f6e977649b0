/** Watches the event loop of this process. */
import { closeSync, openSync, readSync } from 'node:fs';

/** How often the loop is asked for a sign of life. */
const TICK_MS = 1;

/**
 * Processor time of the main thread, milliseconds (the first figure of schedstat). Reads one small
 * file of the kernel: some microseconds.
 */
function watchProcessor() {
  const file = openSync('/proc/self/schedstat', 'r');
  const text = Buffer.alloc(64);
  return {
    tookMs: () => Number(text.toString('latin1', 0, readSync(file, text, 0, text.length, 0)).split(' ')[0]) / 1e6,
    close: () => closeSync(file),
  };
}

/**
 * @returns `stop`, which answers with the longest time beyond a tick and when that was, and with the
 * longest that this process itself worked without a turn of its loop: processor time, so that a
 * machine that lets it wait for one does not count (nor does a call that waits for a disk)
 */
export function watchEventLoop() {
  const processor = watchProcessor();
  const startedAt = performance.now();
  let lastAt = startedAt;
  let lastTookMs = processor.tookMs();
  let longestMs = 0;
  let longestWorkMs = 0;
  let atMs = 0;
  const look = () => {
    const now = performance.now();
    const tookMs = processor.tookMs();
    if (now - lastAt - TICK_MS > longestMs) {
      longestMs = now - lastAt - TICK_MS;
      atMs = now - startedAt;
    }
    longestWorkMs = Math.max(longestWorkMs, tookMs - lastTookMs);
    lastAt = now;
    lastTookMs = tookMs;
  };
  const timer = setInterval(look, TICK_MS);
  return {
    stop() {
      look();
      clearInterval(timer);
      processor.close();
      return { longestMs, longestWorkMs, atMs };
    },
  };
}

/** Watches the event loop of this process. */
import { closeSync, openSync, readSync } from 'node:fs';

/** Turns with more work than this are counted. */
export const LONG_TURN_MS = 20;
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

/** @param turns counts by tenths of a millisecond */
function busiestHundredth(turns) {
  const count = [...turns.values()].reduce((sum, some) => sum + some, 0);
  let left = Math.ceil(count / 100);
  for (const [tenths, some] of [...turns].sort(([one], [other]) => other - one)) {
    left -= some;
    if (left <= 0) return { turns: count, p99WorkMs: tenths / 10 };
  }
  return { turns: count, p99WorkMs: 0 };
}

/**
 * @returns `stop`, which answers with the longest time beyond a tick and when that was, and with the
 * longest that this process itself worked without a turn of its loop: processor time, so that a
 * machine that lets it wait for one does not count (nor does a call that waits for a disk). Of all
 * turns, how many there were, the work that the busiest hundredth begins at, and how many had more
 * than `LONG_TURN_MS` of it.
 */
export function watchEventLoop() {
  const processor = watchProcessor();
  const startedAt = performance.now();
  let lastAt = startedAt;
  let lastTookMs = processor.tookMs();
  let longestMs = 0;
  let longestWorkMs = 0;
  let atMs = 0;
  /** Turns by their work, tenths of a millisecond. */
  const turns = new Map();
  let longTurns = 0;
  const look = () => {
    const now = performance.now();
    const tookMs = processor.tookMs();
    if (now - lastAt - TICK_MS > longestMs) {
      longestMs = now - lastAt - TICK_MS;
      atMs = now - startedAt;
    }
    const workMs = tookMs - lastTookMs;
    longestWorkMs = Math.max(longestWorkMs, workMs);
    if (workMs > LONG_TURN_MS) longTurns += 1;
    const tenths = Math.round(10 * workMs);
    turns.set(tenths, (turns.get(tenths) ?? 0) + 1);
    lastAt = now;
    lastTookMs = tookMs;
  };
  const timer = setInterval(look, TICK_MS);
  return {
    stop() {
      look();
      clearInterval(timer);
      processor.close();
      return { longestMs, longestWorkMs, atMs, longTurns, ...busiestHundredth(turns) };
    },
  };
}

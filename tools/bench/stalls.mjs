/** Watches the event loop of this process. */

/** How often the loop is asked for a sign of life. */
const TICK_MS = 1;

/** @returns `stop`, which answers with the longest time beyond a tick, and when that was */
export function watchEventLoop() {
  const startedAt = performance.now();
  let lastAt = startedAt;
  let longestMs = 0;
  let atMs = 0;
  const look = () => {
    const now = performance.now();
    if (now - lastAt - TICK_MS > longestMs) {
      longestMs = now - lastAt - TICK_MS;
      atMs = now - startedAt;
    }
    lastAt = now;
  };
  const timer = setInterval(look, TICK_MS);
  return {
    stop() {
      look();
      clearInterval(timer);
      return { longestMs, atMs };
    },
  };
}

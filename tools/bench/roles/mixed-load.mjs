/**
 * Everything at once on one store: appends, patches, lists, history, and two checkpoints, the second
 * announced, so that the disk can be frozen in the middle of it. Answers with the longest time that
 * the event loop did not turn.
 */
import { open } from '../context.mjs';
import { appendMessage, newSessions, patchEntry } from '../load.mjs';
import { say, task } from '../sampling.mjs';
import { watchEventLoop } from '../stalls.mjs';

const { sessionsFile, keys, ms } = task();
const APPENDERS = 8;
const PATCHERS = 4;

const store = await open(sessionsFile, { checkpointDelayMs: ms * 10 });
const sessions = newSessions(APPENDERS);
const endAt = performance.now() + ms;
const counts = { append: 0, patch: 0, list: 0, history: 0 };
const pause = (forMs) => new Promise((resolve) => setTimeout(resolve, forMs));
const repeat = async (kind, everyMs, call) => {
  while (performance.now() < endAt) {
    await call();
    counts[kind] += 1;
    if (everyMs > 0) await pause(everyMs);
  }
};
// Warm: the first calls compile code and open files, once in a gateway's life.
for (const session of sessions) await store.mutate(appendMessage(session));
await store.list({ limit: 100 });
await store.checkpoint();

const watch = watchEventLoop();
const load = [
  ...sessions.map((session) => repeat('append', 0, () => store.mutate(appendMessage(session)))),
  ...Array.from({ length: PATCHERS }, (_, index) => repeat('patch', 1, () => store.mutate(patchEntry(keys[(counts.patch * PATCHERS + index) % keys.length])))),
  repeat('list', 5, () => store.list({ limit: 100 })),
  repeat('history', 5, () => store.history({ key: sessions[0].key, limit: 50 })),
];
await pause(ms / 8);
await store.checkpoint();
const second = store.checkpoint();
await say({ kind: 'checkpointing' });
await Promise.all(load);
await second;
const { longestMs, atMs } = watch.stop();
await say({ kind: 'done', longestMs, atMs, counts });
await store.close();
process.disconnect();

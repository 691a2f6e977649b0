/** A writer that appends, patches, lists and checkpoints for a while: its peak of memory, and what it holds afterwards. */
import { open } from '../context.mjs';
import { appendMessage, newSessions, patchEntry } from '../load.mjs';
import { peakMemory, say, task } from '../sampling.mjs';

const AT_ONCE = 8;

const { sessionsFile, keys, calls } = task();
const store = await open(sessionsFile);
const sessions = newSessions(AT_ONCE);
for (let call = 0; call < calls; call += 1) {
  await Promise.all(sessions.map((session, index) => store.mutate(call % 2 === 0 ? appendMessage(session) : patchEntry(keys[(call * AT_ONCE + index) % keys.length]))));
  if (call % 10 === 0) await store.list({ limit: 100 });
}
await store.checkpoint();
const answer = { heldBytes: process.memoryUsage.rss(), peakBytes: peakMemory() };
await store.close();
await say(answer);
process.disconnect();

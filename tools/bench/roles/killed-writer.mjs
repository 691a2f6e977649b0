/** A writer in full work, until somebody kills it. */
import { open } from '../context.mjs';
import { appendMessage, newSessions, patchEntry } from '../load.mjs';
import { say, task } from '../sampling.mjs';

const { sessionsFile, keys, calls } = task();
const store = await open(sessionsFile);
const sessions = newSessions(16);
let done = 0;
await Promise.all(
  sessions.map(async (session, index) => {
    for (let call = 0; ; call += 1) {
      await store.mutate(call % 2 === 0 ? appendMessage(session) : patchEntry(keys[(call + index * 101) % keys.length]));
      done += 1;
      if (done === calls) await say('working');
    }
  }),
);

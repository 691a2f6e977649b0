/** Does nothing but watch its own event loop: how long does this machine keep an idle process waiting? */
import { say, task } from '../sampling.mjs';
import { watchEventLoop } from '../stalls.mjs';

const watch = watchEventLoop();
setTimeout(async () => {
  await say(watch.stop());
  process.disconnect();
}, task().ms);

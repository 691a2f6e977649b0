/** What the end of a conversation costs as the conversation grows. */
import { open } from '../context.mjs';
import { ratioTo } from '../results.mjs';
import { inTurn, medianOf } from '../sampling.mjs';
import { keyAt } from '../store-keys.mjs';

export const name = 'history-growth';
export const rows = [{ what: 'last 50 messages of a long conversation (1 000 000)', against: 'of a short one (10 000)', floor: 1.2, goal: 1.05 }];

const ROUNDS = 21;
const CALLS = 60;

export async function run({ sizes, conversation }) {
  const stores = [];
  for (const messages of [sizes.longTranscript, sizes.shortTranscript]) {
    const store = await open((await conversation(messages)).sessionsFile);
    stores.push(store);
    // Counted once in a transcript's life, in the background of its first page.
    const page = await store.history({ key: keyAt(0), limit: 50 });
    if (page?.records.length !== 50 || page.totalMessages !== messages) throw new Error(`${page?.records.length} records of ${page?.totalMessages}`);
  }
  try {
    const [long, short] = await inTurn(ROUNDS, stores.map((store) => () => medianOf(CALLS, () => store.history({ key: keyAt(0), limit: 50 }))));
    return [ratioTo(long, short, 'ms')];
  } finally {
    for (const store of stores) await store.close();
  }
}

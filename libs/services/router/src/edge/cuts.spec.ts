/** A live view over cut sockets and restarted routers: nothing is missed, nothing is doubled. */
import { FuzzValues } from '../testing/fuzz-values';
import { TOKEN, routerOn, startRouter } from '../testing/router-harness';

/** Messages arrive until sockets were cut so often, every few milliseconds. */
const CUTS = Number(process.env.SESS_CUTS ?? 40);
const SEED = Number(process.env.SESS_FUZZ_SEED ?? Date.now() % 2 ** 31);

interface Position {
  lastId: string | undefined;
  readonly seqs: number[];
}

/** Reads until it is cut; what it had whole by then counts. */
async function readSome(url: string, position: Position, signal: AbortSignal): Promise<void> {
  const headers = { authorization: `Bearer ${TOKEN}`, ...(position.lastId !== undefined && { 'last-event-id': position.lastId }) };
  let text = '';
  const decoder = new TextDecoder();
  try {
    const response = await fetch(`${url}/sessions/main/history?follow=1`, { headers, signal });
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) take(block, position);
    }
  } catch {
    // Cut, or the router is gone: the reader comes again.
  }
}

function take(block: string, position: Position): void {
  const field = (name: string): string | undefined => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const data = JSON.parse(field('data') ?? '{}') as { messageSeq?: number; items?: { __openclaw: { seq: number } }[] };
  if (field('event') === 'history') position.seqs.push(...(data.items ?? []).map((item) => item.__openclaw.seq));
  if (field('event') === 'message' && data.messageSeq !== undefined) position.seqs.push(data.messageSeq);
  position.lastId = field('id') ?? position.lastId;
}

it('goes on behind what was seen', async () => {
  const values = new FuzzValues(SEED);
  const running = await startRouter();
  running.stores.put('main', 'agent:main:main', { sessionId: '0190aaaa-0000-7000-8000-000000000001', updatedAt: 1 }, [{ role: 'user', text: 'first' }]);
  const writer = await running.client();
  let other = await routerOn(running);
  const position: Position = { lastId: undefined, seqs: [] };
  let cuts = 0;
  let isOver = false;
  const reading = (async () => {
    for (; !isOver; cuts += 1) {
      const leaving = new AbortController();
      const timer = setTimeout(() => leaving.abort(), 5 + values.below(40));
      await readSome(values.next() < 0.5 ? running.url : other.url, position, leaving.signal);
      clearTimeout(timer);
      if (cuts % 10 === 9) {
        await other.stop();
        other = await routerOn(running);
      }
    }
  })();
  let sent = 0;
  for (; cuts < CUTS; sent += 1) {
    await writer.request('chat.send', { sessionKey: 'main', message: `m${sent}`, idempotencyKey: `k${sent}` });
    await new Promise((resolve) => setTimeout(resolve, values.below(10)));
  }
  const wanted = Array.from({ length: sent + 1 }, (_, place) => place + 1);
  for (let tries = 0; tries < 200 && position.seqs.length < wanted.length; tries += 1) await new Promise((resolve) => setTimeout(resolve, 20));
  isOver = true;
  await reading;
  await other.stop();
  await running.stop();
  expect([`seed ${SEED}`, position.seqs]).toEqual([`seed ${SEED}`, wanted]);
}, 60_000 + CUTS * 200);

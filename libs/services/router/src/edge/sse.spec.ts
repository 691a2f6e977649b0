import { TOKEN, startRouter } from '../testing/router-harness';
import type { RunningRouter, TestClient } from '../testing/router-harness';
import { PAGE_INTERVAL_MS } from './sse';

const ID = '0190aaaa-0000-7000-8000-000000000001';
const KEY = 'agent:main:main';

interface Seen {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

/** Reads events of one response as they come. */
class Reader {
  readonly events: Seen[] = [];
  text = '';
  ended = false;
  readonly #leaving = new AbortController();

  static async open(url: string, headers: Record<string, string> = {}): Promise<Reader> {
    const reader = new Reader();
    const response = await fetch(url, { headers: { authorization: `Bearer ${TOKEN}`, ...headers }, signal: reader.#leaving.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    void reader.#read(response).catch(() => undefined);
    return reader;
  }

  async #read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      this.text += decoder.decode(chunk as Uint8Array, { stream: true });
      this.events.splice(0, Infinity, ...this.text.split('\n\n').slice(0, -1).flatMap(parsed));
    }
    this.ended = true;
  }

  of(event: string): Seen[] {
    return this.events.filter((seen) => seen.event === event);
  }

  async until(ready: () => boolean): Promise<void> {
    while (!ready()) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  leave(): void {
    this.#leaving.abort();
  }
}

function parsed(block: string): Seen[] {
  const field = (name: string): string | undefined => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const event = field('event');
  return event === undefined ? [] : [{ event, id: field('id'), data: JSON.parse(field('data') ?? '{}') as Record<string, unknown> }];
}

let running: RunningRouter;
let client: TestClient;
let reader: Reader | undefined;

beforeEach(async () => {
  running = await startRouter();
  running.stores.put('main', KEY, { sessionId: ID, updatedAt: 1 }, [{ role: 'user', text: 'one' }, { role: 'user', text: 'two' }]);
  client = await running.client();
});
afterEach(async () => {
  reader?.leave();
  await running.stop();
});

let sent = 0;
const say = async (message: string): Promise<void> => {
  expect((await client.request('chat.send', { sessionKey: 'main', message, idempotencyKey: `k${(sent += 1)}` })).ok).toBe(true);
};
const url = (query = ''): string => `${running.url}/sessions/main/history${query}`;
const seqs = (seen: Seen | undefined): number[] => ((seen?.data.items ?? []) as { __openclaw: { seq: number } }[]).map((item) => item.__openclaw.seq);

describe('a live view of a session', () => {
  it('begins with the page, then gives each append once', async () => {
    reader = await Reader.open(url('?follow=1'));
    const seen = reader;
    await seen.until(() => seen.of('history').length === 1);
    expect(seen.text.startsWith('retry: 1000\n\n')).toBe(true);
    expect(seqs(seen.of('history')[0])).toEqual([1, 2]);
    expect(seen.of('history')[0]?.id).toBe(`${ID}:2`);
    await say('three');
    await say('four');
    await seen.until(() => seen.of('message').length === 2);
    expect(seen.of('message').map(({ id, data }) => [id, data.messageSeq, data.sessionKey, data.sessionId])).toEqual([
      [`${ID}:3`, 3, KEY, ID],
      [`${ID}:4`, 4, KEY, ID],
    ]);
    await seen.until(() => seen.of('sessions.changed').length === 2);
    expect(seen.of('sessions.changed')[0]?.data).toMatchObject({ sessionKey: KEY, phase: 'message' });
  });

  it('begins by the Accept header too', async () => {
    reader = await Reader.open(url(), { accept: 'text/event-stream' });
    const seen = reader;
    await seen.until(() => seen.of('history').length === 1);
  });

  it('goes on behind the last event that was seen', async () => {
    reader = await Reader.open(url('?follow=1'), { 'last-event-id': `${ID}:1` });
    const seen = reader;
    await seen.until(() => seen.of('message').length === 1);
    expect(seen.of('message')[0]?.id).toBe(`${ID}:2`);
    await say('three');
    await seen.until(() => seen.of('message').length === 2);
    expect(seen.of('history')).toEqual([]);
  });

  it('begins anew for an id that is none', async () => {
    reader = await Reader.open(url('?follow=1&lastEventId=bogus'));
    const seen = reader;
    await seen.until(() => seen.of('history').length === 1);
  });

  it('follows the key into its next transcript', async () => {
    reader = await Reader.open(url('?follow=1'));
    const seen = reader;
    await seen.until(() => seen.of('history').length === 1);
    const next = '0190aaaa-0000-7000-8000-000000000002';
    running.stores.reset('main', KEY, next, [{ role: 'user', text: 'anew' }]);
    await seen.until(() => seen.of('history').length === 2);
    expect(seen.of('reset')[0]?.data).toMatchObject({ previousSessionId: ID, sessionId: next, reason: 'reset' });
    expect(seen.of('history')[1]?.data).toMatchObject({ sessionId: next });
    await say('more');
    await seen.until(() => seen.of('message').length === 1);
    expect(seen.of('message')[0]?.id).toBe(`${next}:2`);
  });

  it('shows a bounded page anew, ending in the newest state', async () => {
    reader = await Reader.open(url('?follow=1&limit=2'));
    const seen = reader;
    await seen.until(() => seen.of('history').length === 1);
    for (const text of ['3', '4', '5']) await say(text);
    await seen.until(() => seqs(seen.of('history').at(-1)).at(-1) === 5);
    expect(seqs(seen.of('history').at(-1))).toEqual([4, 5]);
    expect(seen.of('message')).toEqual([]);
  });

  it('shows a bounded page anew also when nothing happened for longer than pages are apart', async () => {
    reader = await Reader.open(url('?follow=1&limit=2'));
    const seen = reader;
    await seen.until(() => seen.of('history').length === 1);
    for (const seq of [3, 4, 5]) {
      await new Promise((resolve) => setTimeout(resolve, 2 * PAGE_INTERVAL_MS));
      await say(String(seq));
      await seen.until(() => seqs(seen.of('history').at(-1)).at(-1) === seq);
    }
    expect(seen.of('history')).toHaveLength(4);
  });

  it('answers an unknown session before it begins', async () => {
    const response = await fetch(`${running.url}/sessions/nope/history?follow=1`, { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(response.status).toBe(404);
  });

  it('ends when the router drains', async () => {
    reader = await Reader.open(url('?follow=1'));
    const seen = reader;
    await seen.until(() => seen.of('history').length === 1);
    await running.router.drain();
    await seen.until(() => seen.ended);
  });

  it('ends when its reader leaves', async () => {
    reader = await Reader.open(url('?follow=1'));
    const seen = reader;
    await seen.until(() => seen.of('history').length === 1);
    seen.leave();
    // A router that waited for the view would not drain.
    await running.router.drain();
  });
});

/** Events that got lost on their way: what followers are given instead. */
import { SessionError } from '@sessions/domain';
import { createRecordingLogger } from '@sessions/host/testing';
import type { RecordingLogger } from '@sessions/host/testing';
import { startRouter } from './testing/router-harness';
import type { RunningRouter, TestClient } from './testing/router-harness';

const KEY = 'agent:main:main';
const ID = '0190aaaa-0000-7000-8000-000000000001';

let running: RunningRouter;
let logger: RecordingLogger;
let client: TestClient;
let losesEvents = false;
let losesSeq: number | undefined;
/** How often that is lost. */
let losesLeft = Number.POSITIVE_INFINITY;
let sent = 0;

beforeEach(async () => {
  losesEvents = false;
  losesSeq = undefined;
  losesLeft = Number.POSITIVE_INFINITY;
  logger = createRecordingLogger();
  running = await startRouter({}, { logger }, {
    losesEvent: () => losesEvents,
    losesStreamMessage: (subject, seq) => subject.endsWith('ReadHistory') && seq === losesSeq && (losesLeft -= 1) >= 0,
  });
  running.stores.put('main', KEY, { sessionId: ID, updatedAt: 1 }, [{ role: 'user', text: 'one' }]);
  client = await running.client();
});
afterEach(() => running.stop());

const say = async (message: string): Promise<void> => {
  expect((await client.request('chat.send', { sessionKey: 'main', message, idempotencyKey: `k${(sent += 1)}` })).ok).toBe(true);
};
const seqsOf = (follower: TestClient): unknown[] => follower.events('session.message').map(({ payload }) => payload.messageSeq);

describe('a follower whose events were lost', () => {
  it('gets each message once and in order when the next event shows the gap', async () => {
    await client.request('sessions.messages.subscribe', { key: 'main' });
    await say('two');
    await client.until(() => (seqsOf(client).length === 1 ? true : undefined));
    losesEvents = true;
    await say('three');
    await say('four');
    losesEvents = false;
    await say('five');
    await say('six');
    await client.until(() => (seqsOf(client).length >= 5 ? true : undefined));
    expect(seqsOf(client)).toEqual([2, 3, 4, 5, 6]);
  });

  it('gets what is lost behind the end of a reading that lasts', async () => {
    await client.request('sessions.messages.subscribe', { key: 'main' });
    await say('two');
    await client.until(() => (seqsOf(client).length === 1 ? true : undefined));
    losesEvents = true;
    await say('three');
    losesEvents = false;
    let release = (): void => undefined;
    running.stores.held.set('listEntries', new Promise((resolve) => (release = resolve)));
    const rowsAsked = (): number => running.stores.calls.filter((call) => call.startsWith('listEntries')).length;
    const before = rowsAsked();
    running.bus.noteGap();
    // Its messages are told, and the row is still to come.
    await client.until(() => (seqsOf(client).length >= 2 && rowsAsked() > before ? true : undefined));
    losesEvents = true;
    await say('four');
    losesEvents = false;
    await say('five');
    running.stores.held.clear();
    release();
    await client.until(() => (seqsOf(client).includes(5) ? true : undefined));
    expect(seqsOf(client)).toEqual([2, 3, 4, 5]);
  });

  it('gets them after a reconnect, without a further event, and hears that the row changed', async () => {
    await client.request('sessions.subscribe');
    await say('two');
    await client.until(() => (seqsOf(client).length === 1 ? true : undefined));
    losesEvents = true;
    await say('three');
    losesEvents = false;
    running.bus.noteGap();
    await client.until(() => (seqsOf(client).length >= 2 ? true : undefined));
    expect(seqsOf(client)).toEqual([2, 3]);
    await client.until(() => client.events('sessions.changed').find(({ payload }) => payload.reason === 'patch'));
  });

  it('gets the messages of a transcript that began meanwhile', async () => {
    await client.request('sessions.messages.subscribe', { key: 'main' });
    await say('two');
    await client.until(() => (seqsOf(client).length === 1 ? true : undefined));
    running.stores.reset('main', KEY, '0190aaaa-0000-7000-8000-000000000002', [{ role: 'user', text: 'new' }]);
    running.bus.noteGap();
    await client.until(() => (seqsOf(client).length >= 2 ? true : undefined));
    expect(seqsOf(client)).toEqual([2, 1]);
  });

  it('gets them when a store that could not be read can be read again, before what came meanwhile', async () => {
    await client.request('sessions.messages.subscribe', { key: 'main' });
    await say('two');
    await client.until(() => (seqsOf(client).length === 1 ? true : undefined));
    losesEvents = true;
    await say('three');
    losesEvents = false;
    running.stores.refuse('main', new SessionError('STORE_UNREADABLE', 'for now'));
    running.bus.noteGap();
    while (!logger.lines.some(({ msg }) => msg.includes('cannot be read from the store yet'))) await new Promise((resolve) => setTimeout(resolve, 20));
    running.stores.refuse('main', undefined);
    await say('four');
    await client.until(() => (seqsOf(client).length >= 3 ? true : undefined));
    expect(seqsOf(client)).toEqual([2, 3, 4]);
  });

  it('is not read for when nobody follows', async () => {
    await say('two');
    losesEvents = true;
    await say('three');
    losesEvents = false;
    await say('four');
    running.bus.noteGap();
    expect(running.stores.calls.filter((call) => call.startsWith('readHistory'))).toEqual([]);
  });
});

describe('a page whose stream breaks', () => {
  const read = (): Promise<Response> => fetch(`${running.url}/sessions/main/history`, { headers: { authorization: 'Bearer a-test-token' } });

  it.each([1, 2, 3])('is read anew, and whole: message %i of its stream lost', async (seq) => {
    await say('two');
    losesSeq = seq;
    losesLeft = 1;
    const answer = await read();
    expect(answer.status).toBe(200);
    const { messages, sessionKey } = (await answer.json()) as { messages: unknown[]; sessionKey: string };
    expect([sessionKey, messages.length]).toEqual([KEY, 2]);
    expect(losesLeft).toBeLessThanOrEqual(0);
    expect(running.stores.calls.filter((call) => call === 'readHistory main').length).toBeGreaterThan(1);
  });

  it('is no empty one where it breaks again and again', async () => {
    losesSeq = 2;
    const answer = await read();
    expect(answer.status).toBe(503);
    expect(await answer.json()).not.toHaveProperty('messages');
  });
});

describe('a live view whose stream breaks', () => {
  const open = async function* () {
    const response = await fetch(`${running.url}/sessions/main/history?follow=1`, { headers: { authorization: 'Bearer a-test-token' } });
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      yield* blocks;
    }
  };
  const idOf = (block: string): string | undefined => /^id: (.*)$/m.exec(block)?.[1];

  it.each(['a lost message', 'an owner that left'])('goes on behind its last message after %s', async (how) => {
    const ids: (string | undefined)[] = [];
    for await (const block of open()) {
      if (!/^event: (message|history)$/m.test(block)) continue;
      ids.push(idOf(block));
      if (ids.length === 1) await say('two');
      if (ids.length === 2) {
        // Head, records, page end and the second message came before.
        if (how === 'a lost message') losesSeq = 5;
        else await running.stores.loseOwner('main');
        await say('three');
        await say('four');
        losesSeq = undefined;
      }
      if (ids.length === 4) break;
    }
    expect(ids).toEqual([1, 2, 3, 4].map((seq) => `${ID}:${seq}`));
    expect(running.stores.calls.filter((call) => call === 'readHistory main').length).toBeGreaterThan(1);
  });
});

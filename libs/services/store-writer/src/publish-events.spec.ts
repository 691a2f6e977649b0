import { createInProcessBus, createSubjects } from '@sessions/bus';
import { Event } from '@sessions/contracts';
import { silentLogger, systemClock } from '@sessions/host';
import { createRecordingLogger } from '@sessions/host/testing';
import { LiveFeed } from './live-feed';
import { EVENT_LINE_BYTES_MAX, EventPublisher, SeqCounters, type Announcement } from './publish-events';

const KEY = 'agent:main:telegram:direct:123';
const message = (messageSeq: number, line = `{"n":${String(messageSeq)}}`): Announcement => ({
  kind: 'message',
  key: KEY,
  sessionId: 's-1',
  messageId: `m-${String(messageSeq)}`,
  messageSeq,
  line,
  row: Uint8Array.of(10, 1, 107),
});

async function listen(logger = silentLogger): Promise<{ events: Event[]; subjects: string[]; publisher: EventPublisher; feed: LiveFeed; settle: () => Promise<void> }> {
  const bus = createInProcessBus();
  const subjects = createSubjects();
  const feed = new LiveFeed();
  const events: Event[] = [];
  const seen: string[] = [];
  await bus.events.subscribe(subjects.events(), Event, (event, subject) => {
    events.push(event);
    seen.push(subject);
  });
  const publisher = new EventPublisher({ bus, subjects, agentId: 'main', epoch: 7, clock: systemClock, feed, logger });
  return { events, subjects: seen, publisher, feed, settle: () => new Promise((resolve) => setImmediate(resolve)) };
}

describe('event publisher', () => {
  it('publishes in the order of decisions, however the mutations end', async () => {
    const { events, publisher, settle } = await listen();
    const first = publisher.takeTurn();
    const second = publisher.takeTurn();
    const third = publisher.takeTurn();
    third.done([message(3)]);
    second.giveUp();
    await settle();
    expect(events).toEqual([]);
    first.done([message(1)]);
    await settle();
    expect(events.map((event) => event.body?.$case === 'message' && event.body.value.messageSeq)).toEqual([1, 3]);
    expect(events.map((event) => event.seq)).toEqual([1, 2]);
    expect(events.every((event) => event.epoch === 7 && event.agentId === 'main' && event.sessionKey === KEY)).toBe(true);
  });

  it('carries row and line, and only a reference for a line that is too long', async () => {
    const { events, publisher, settle } = await listen();
    publisher.publish(message(1));
    publisher.publish(message(2, `"${'x'.repeat(EVENT_LINE_BYTES_MAX)}"`));
    await settle();
    const [short, long] = events.map((event) => (event.body?.$case === 'message' ? event.body.value : undefined));
    expect(short?.lineJson?.toString()).toBe('{"n":1}');
    expect([...(short?.encodedRow ?? [])]).toEqual([10, 1, 107]);
    expect(long).toMatchObject({ tooLarge: true, lineJson: undefined, messageId: 'm-2' });
  });

  it('names no session key in the subject', async () => {
    const { subjects, publisher, settle } = await listen();
    publisher.publish(message(1));
    publisher.publish({ kind: 'store', storeKind: 'owner', facts: { epoch: 7 } });
    await settle();
    expect(subjects).toHaveLength(2);
    expect(subjects.join(' ')).not.toContain('123');
    expect(subjects[1]).toBe('sess.events.main.store._');
  });

  it('tells watchers of the session in this process, and nobody else', async () => {
    const { publisher, feed } = await listen();
    const watch = feed.watch('main', KEY);
    const other = feed.watch('main', 'agent:main:main');
    publisher.publish(message(1));
    await watch.next(new AbortController().signal);
    let told = false;
    const aborted = new AbortController();
    const waiting = other.next(aborted.signal).then(() => (told = !aborted.signal.aborted));
    aborted.abort();
    await waiting;
    expect(told).toBe(false);
    watch.stop();
    other.stop();
    expect(feed.watchedCount).toBe(0);
  });

  it('keeps the order of a store when an event cannot be sent: the next number shows the gap', async () => {
    const logger = createRecordingLogger();
    const { events, publisher, settle } = await listen(logger);
    publisher.publish({ ...message(1), row: new Uint8Array(1024 * 1024) } as Announcement);
    publisher.publish(message(2));
    await settle();
    expect(events.map((event) => event.seq)).toEqual([2]);
    expect(logger.lines.map((line) => line.level)).toEqual(['warn']);
  });
});

describe('event numbers', () => {
  it('count each key by itself', () => {
    const seqs = new SeqCounters(10);
    expect([seqs.next('a'), seqs.next('b'), seqs.next('a')]).toEqual([1, 1, 2]);
  });

  it('are never given out twice, however many keys there are', () => {
    const seqs = new SeqCounters(3);
    const given = new Set<string>();
    let count = 0;
    for (let round = 0; round < 200; round += 1) {
      const key = `k${String((round * round) % 11)}`;
      given.add(`${key}/${String(seqs.next(key))}`);
      count += 1;
    }
    expect(given.size).toBe(count);
  });
});

/** Events: what holds on every transport. */
import { Event } from '@sessions/contracts';
import { MAX_PAYLOAD_BYTES } from '../limits';
import { createSubjects } from '../subjects';
import type { BusHarness, CreateHarness } from './harness';
import { deferred, reasonOf, until } from './harness';

const subjects = createSubjects('suite');
const KEY = 'agent:main:telegram:direct:123';

const event = (seq: number, agentId = 'main') =>
  Event.create({ agentId, sessionKey: KEY, epoch: 1, seq, body: { $case: 'store', value: { kind: 'touched' } } });

export function describeEvents(create: CreateHarness): void {
  describe('events', () => {
    let harness: BusHarness;
    beforeEach(async () => (harness = await create()));
    afterEach(() => harness.close());

    it('keep the order of their publisher, for every subscriber', async () => {
      const seen: number[][] = [[], []];
      for (const list of seen) {
        await harness.bus.events.subscribe(subjects.events(), Event, async ({ seq }) => {
          if (seq % 7 === 0) await Promise.resolve();
          list.push(seq);
        });
      }
      const sent = Array.from({ length: 200 }, (_, place) => place + 1);
      for (const seq of sent) harness.bus.events.publish(subjects.event('main', 'changed', KEY), Event, event(seq));
      await until(() => seen.every((list) => list.length === sent.length));
      expect(seen).toEqual([sent, sent]);
    });

    it('reach those whose pattern covers their subject, and no others', async () => {
      const seen = new Map<string, number>();
      const patterns = {
        all: subjects.events(),
        agent: subjects.events({ agentId: 'main' }),
        type: subjects.events({ type: 'changed' }),
        key: subjects.events({ sessionKey: KEY }),
        otherKey: subjects.events({ sessionKey: 'agent:main:main' }),
        otherAgent: subjects.events({ agentId: 'support' }),
        tail: `${subjects.prefix}.events.main.>`,
        prefix: `${subjects.prefix}.events.main`,
      };
      for (const [name, pattern] of Object.entries(patterns)) {
        seen.set(name, 0);
        await harness.bus.events.subscribe(pattern, Event, () => {
          seen.set(name, (seen.get(name) ?? 0) + 1);
        });
      }
      harness.bus.events.publish(subjects.event('main', 'changed', KEY), Event, event(1));
      await until(() => seen.get('tail') === 1);
      await harness.settle();
      expect(Object.fromEntries(seen)).toEqual({
        all: 1,
        agent: 1,
        type: 1,
        key: 1,
        otherKey: 0,
        otherAgent: 0,
        tail: 1,
        prefix: 0,
      });
    });

    it('are handled one at a time', async () => {
      const gate = deferred();
      const begun: number[] = [];
      await harness.bus.events.subscribe(subjects.events(), Event, async ({ seq }) => {
        begun.push(seq);
        await gate.promise;
      });
      for (const seq of [1, 2]) harness.bus.events.publish(subjects.event('main', 'run', KEY), Event, event(seq));
      await until(() => begun.length === 1);
      await harness.settle();
      expect(begun).toEqual([1]);
      gate.resolve();
      await until(() => begun.length === 2);
    });

    it('end the subscription of one that does not keep up', async () => {
      const gate = deferred();
      const subscription = await harness.bus.events.subscribe(subjects.events(), Event, () => gate.promise, { waiting: 3 });
      for (let seq = 1; seq <= 10; seq += 1) harness.bus.events.publish(subjects.event('main', 'changed', KEY), Event, event(seq));
      expect(await subscription.ended).toMatchObject({ reason: 'OVERLOADED' });
      gate.resolve();
    });

    it('are dropped and counted for one that says so', async () => {
      const gate = deferred();
      const seen: number[] = [];
      const subscription = await harness.bus.events.subscribe(
        subjects.events(),
        Event,
        async ({ seq }) => {
          await gate.promise;
          seen.push(seq);
        },
        { waiting: 3, whenSlow: 'drop-newest' },
      );
      for (let seq = 1; seq <= 10; seq += 1) harness.bus.events.publish(subjects.event('main', 'run', KEY), Event, event(seq));
      await until(() => subscription.dropped > 0);
      gate.resolve();
      await until(() => seen.length + subscription.dropped === 10);
      expect(seen.length).toBeLessThanOrEqual(4);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
    });

    it('end the subscription of a handler that fails', async () => {
      const subscription = await harness.bus.events.subscribe(subjects.events(), Event, () => {
        throw new Error('broken');
      });
      harness.bus.events.publish(subjects.event('main', 'changed', KEY), Event, event(1));
      expect(await subscription.ended).toEqual(new Error('broken'));
    });

    it('do not reach a handler after stop', async () => {
      const seen: number[] = [];
      const subscription = await harness.bus.events.subscribe(subjects.events(), Event, ({ seq }) => {
        seen.push(seq);
      });
      harness.bus.events.publish(subjects.event('main', 'changed', KEY), Event, event(1));
      await until(() => seen.length === 1);
      await subscription.stop();
      expect(await subscription.ended).toBeUndefined();
      harness.bus.events.publish(subjects.event('main', 'changed', KEY), Event, event(2));
      await harness.settle();
      expect(seen).toEqual([1]);
    });

    it('are refused above the size of a message, by name', async () => {
      const large = Event.create({
        agentId: 'main',
        body: { $case: 'run', value: { runId: 'r', stream: 'assistant', dataJson: Buffer.alloc(MAX_PAYLOAD_BYTES + 1) } },
      });
      const publish = async () => harness.bus.events.publish(subjects.event('main', 'run'), Event, large);
      expect(await reasonOf(publish())).toBe('TOO_LARGE');
    });
  });
}

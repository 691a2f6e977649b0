/** Messages between sessions reach their target once, whoever is away meanwhile. */
import { Delivery, DeliveryEvent, DeliveryJob, Event, InterSession, RunRequest, SessionDelivery } from '@sessions/contracts';
import { createSubjects } from '@sessions/bus';
import { SessionError } from '@sessions/domain';
import { systemClock } from '@sessions/host';
import type { Clock } from '@sessions/host';
import { routerOn, startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';

const subjects = createSubjects();
const TARGET = 'agent:work:lab';
const CONFIG = { agents: { list: [{ id: 'main', default: true }, { id: 'work' }] } };
/** Nobody waits long for what is looked at again. */
const hasty: Clock = { ...systemClock, setTimer: (delayMs, run, options) => systemClock.setTimer(Math.min(delayMs, 20), run, options) };

let running: RunningRouter;
beforeEach(async () => {
  running = await startRouter(CONFIG, { clock: hasty });
  running.stores.put('main', 'agent:main:main', { sessionId: '11111111-1111-4111-8111-111111111111', updatedAt: 1 });
  running.stores.put('work', TARGET, { sessionId: '22222222-2222-4222-8222-222222222222', updatedAt: 1 });
});
afterEach(() => running.stop());

const open = (deliveryId: string, more: Partial<SessionDelivery> = {}, text = deliveryId): void => {
  const toSession = SessionDelivery.create({
    sessionKey: TARGET,
    interSession: InterSession.create({ sourceSessionKey: 'agent:main:main', sourceTool: 'announce', hops: 2 }),
    run: RunRequest.create({ runId: `run-${deliveryId}`, source: 'announce' }),
    ...more,
  });
  const createdAtMs = running.stores.aside('main').deliveries.size + 1;
  running.stores.aside('main').deliveries.set(deliveryId, Delivery.create({ deliveryId, agentId: 'main', text, toSession, state: 'open', attempt: 1, createdAtMs }));
};
const tell = (deliveryId: string, attempt = 1): Promise<unknown> =>
  running.bus.jobs.publish(subjects.job('delivery', 'main'), DeliveryJob, DeliveryJob.create({ agentId: 'main', deliveryId, attempt }), `delivery:main:${deliveryId}:${attempt}`);
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
const isEmpty = (): boolean => running.stores.aside('main').deliveries.size === 0;
const acknowledged = () => running.stores.aside('main').acknowledged;

describe('a message for another session', () => {
  it('is given to its owner with the turn that it asks for, and then acknowledged', async () => {
    open('d-1');
    await tell('d-1');
    await until(isEmpty);
    expect(acknowledged()).toEqual([{ deliveryId: 'd-1', ok: true, error: undefined }]);
    expect(running.stores.delivered).toHaveLength(1);
    expect(running.stores.delivered[0]).toMatchObject({
      agentId: 'work',
      route: { sessionKey: TARGET },
      message: { role: 'user', text: 'd-1' },
      run: { runId: 'run-d-1', source: 'announce' },
      interSession: { sourceSessionKey: 'agent:main:main', hops: 2 },
      requireExisting: true,
    });
  });

  it('goes with all others that its store has, in order', async () => {
    for (let count = 1; count <= 250; count += 1) open(`d-${count}`);
    await tell('d-7');
    await until(isEmpty);
    expect(running.stores.texts('work', TARGET)).toEqual(Array.from({ length: 250 }, (_, place) => `d-${place + 1}`));
  });

  it('is found when its job was lost', async () => {
    open('d-1');
    const value = DeliveryEvent.create({ deliveryId: 'd-1', state: 'open', channel: '' });
    const event = Event.create({ agentId: 'main', sessionKey: 'agent:main:main', epoch: 1, seq: 1, atMs: 1, body: { $case: 'delivery', value } });
    running.bus.events.publish(subjects.event('main', 'delivery', 'agent:main:main'), Event, event);
    await until(isEmpty);
    expect(running.stores.texts('work', TARGET)).toEqual(['d-1']);
  });

  it('counts once when its acknowledgement is lost', async () => {
    open('d-1');
    running.stores.unserved.add('ackDelivery');
    await tell('d-1');
    await until(() => running.stores.delivered.length >= 2);
    expect(isEmpty()).toBe(false);
    running.stores.unserved.delete('ackDelivery');
    await until(isEmpty);
    expect(running.stores.texts('work', TARGET)).toEqual(['d-1']);
  });

  it('waits for a target that cannot be reached, and nothing overtakes it', async () => {
    open('d-1');
    open('d-2');
    running.stores.refuse('work', new SessionError('DISK_FULL', 'no space'));
    await tell('d-1');
    await until(() => running.stores.delivered.length >= 2);
    open('d-3');
    running.stores.refuse('work', undefined);
    await until(isEmpty);
    expect(running.stores.texts('work', TARGET)).toEqual(['d-1', 'd-2', 'd-3']);
  });

  it('is dropped when its session is gone, made where it may be, and refused for good where no waiting helps', async () => {
    open('gone', { sessionKey: 'agent:work:away' });
    open('made', { sessionKey: 'agent:work:new', create: true });
    open('nobody', { sessionKey: 'agent:ghost:main', create: true });
    open('bad', { sessionKey: 'agent:work:denied', create: true });
    await tell('gone');
    await until(isEmpty);
    expect(Object.fromEntries(acknowledged().map(({ deliveryId, ok, error }) => [deliveryId, error ?? ok]))).toEqual({ gone: true, made: true, nobody: 'AGENT_UNKNOWN', bad: true });
    expect(running.stores.texts('work', 'agent:work:new')).toEqual(['made']);
    expect(running.stores.entry('work', 'agent:work:away')).toBeUndefined();
    running.stores.refuse('work', new SessionError('SEND_DENIED', 'no'));
    open('denied');
    await tell('denied');
    await until(isEmpty);
    expect(acknowledged().at(-1)).toEqual({ deliveryId: 'denied', ok: false, error: 'SEND_DENIED' });
  });

  it('goes no further where its graph has cost too much, and results come all the same', async () => {
    await running.stop();
    running = await startRouter({ ...CONFIG, tools: { agentToAgent: { maxCostUsd: 1 } } }, { clock: hasty });
    running.stores.put('main', 'agent:main:main', { sessionId: '11111111-1111-4111-8111-111111111111', updatedAt: 1 });
    running.stores.put('work', TARGET, { sessionId: '22222222-2222-4222-8222-222222222222', updatedAt: 1 });
    for (const agentId of ['main', 'work']) running.stores.aside(agentId).traceCosts.set('dear', 0.6);
    const from = (sourceTool: string, traceId: string): Partial<SessionDelivery> => ({ interSession: InterSession.create({ sourceSessionKey: 'agent:main:main', sourceTool, hops: 2, traceId, costUsd: 0.6 }) });
    open('turn', from('sessions_send', 'dear'));
    open('result', from('sessions_spawn', 'dear'));
    open('announce', from('announce', 'dear'));
    open('cheap', from('sessions_send', 'cheap'));
    await tell('cheap');
    await until(isEmpty);
    expect(running.stores.texts('work', TARGET)).toEqual(['result', 'announce', 'cheap']);
    expect(acknowledged()).toContainEqual({ deliveryId: 'turn', ok: false, error: 'SEND_DENIED' });
  });

  it('leaves what is for a channel to its adapter', async () => {
    running.stores.aside('main').deliveries.set('c-1', Delivery.create({ deliveryId: 'c-1', agentId: 'main', route: { channel: 'telegram', to: '1', accountId: undefined, threadId: undefined }, text: 'x' }));
    await running.bus.jobs.publish(subjects.job('delivery', 'main'), DeliveryJob, DeliveryJob.create({ agentId: 'main', deliveryId: 'c-1', attempt: 1, channel: 'telegram' }), 'c-1');
    open('d-1');
    await tell('d-1');
    await until(() => acknowledged().length === 1);
    expect([...running.stores.aside('main').deliveries.keys()]).toEqual(['c-1']);
  });

  it('reaches its target once through restarts of routers and both owners', async () => {
    // Minimal standard generator: the same faults at every run.
    let state = 42;
    const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
    const others: Awaited<ReturnType<typeof routerOn>>[] = [];
    for (let count = 1; count <= 60; count += 1) {
      open(`d-${count}`);
      const faults = [
        async () => void others.push(await routerOn(running, CONFIG)),
        async () => void (await others.pop()?.stop()),
        () => running.stores.loseOwner('work'),
        () => running.stores.loseOwner('main'),
        async () => void running.stores.unserved.add(['ackDelivery', 'deliver', 'listPending'][random(3)] ?? ''),
        async () => running.stores.unserved.clear(),
      ];
      await Promise.all([tell(`d-${count}`), faults[random(faults.length)]?.()]);
    }
    running.stores.unserved.clear();
    await tell('last', 2);
    await until(isEmpty);
    for (const other of others) await other.stop();
    expect(running.stores.texts('work', TARGET).slice().sort()).toEqual(Array.from({ length: 60 }, (_, place) => `d-${place + 1}`).sort());
    expect(new Set(acknowledged().map(({ deliveryId }) => deliveryId)).size).toBe(60);
  });
});

/** What the people of a channel are told when time has reset their session: once, before the answer, and how to undo it. */
import { BeginTurnRequest, DeliverRequest, FinishTurnRequest, ListPendingRequest, ReplyRoute, RunRequest, StoreServiceAckDeliveryRequest, DeliveryResult, type Delivery } from '@sessions/contracts';
import { systemClock, type Clock } from '@sessions/host';
import { KEY, bench, cleanUpBenches, restart, telegram, until, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 2, 1, 12);
const ROUTE = ReplyRoute.create({ channel: 'telegram', to: '123' });

function shiftedClock(): Clock & { atMs: number } {
  return { ...systemClock, atMs: START_MS, nowMs() { return this.atMs; } };
}

const configOf = (reset: Record<string, unknown>, more: Record<string, unknown> = {}) => ({ agents: { defaults: { model: 'demo/echo' } }, session: { reset: { timeZone: 'UTC', ...reset }, ...more } });

/** A message that asks for a turn, and the whole of that turn. @returns the reason of the reset before it. */
async function turn(made: Bench, runId: string, replyRoute: ReplyRoute | null = ROUTE): Promise<string | undefined> {
  const asked = telegram(runId, { messageId: `m-${runId}` });
  const route = asked.route === undefined || replyRoute !== null ? asked.route : { ...asked.route, replyRoute: undefined };
  const request = { ...asked, route, run: RunRequest.create({ runId, deliver: true, replyRoute: replyRoute ?? undefined, source: 'channel' }) };
  const { reset } = await made.client.deliver(DeliverRequest.create(request));
  await made.client.beginTurn(BeginTurnRequest.create({ agentId: 'main', runId, runnerId: 'runner/a', attempt: 1 }));
  await made.client.finishTurn(FinishTurnRequest.create({ agentId: 'main', runId, outcome: 'ok', text: `answer to ${runId}`, attempt: 1 }));
  return reset?.reason;
}
const deliveries = async (made: Bench): Promise<Delivery[]> => (await made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['delivery'] }))).deliveries;
const texts = async (made: Bench): Promise<string[]> => (await deliveries(made)).map(({ text }) => text);
const opened = (made: Bench): string[] => made.events.flatMap(({ body }) => (body?.$case === 'delivery' && body.value.state === 'open' ? [body.value.deliveryId] : []));

describe('a reset by time', () => {
  it.each([
    ['idle', { mode: 'idle', idleMinutes: 60 }, 'A new session was started (the last one was idle).'],
    ['daily', { mode: 'daily', atHour: 4 }, 'A new session was started (daily reset).'],
  ])('by %s is told once, as a delivery of its own before an answer that stays as it is', async (reason, reset, sentence) => {
    const clock = shiftedClock();
    const config = configOf(reset);
    let made = await bench({ clock, config });
    expect(await turn(made, 'r1')).toBeUndefined();
    clock.atMs += 20 * HOUR_MS;
    expect(await turn(made, 'r2')).toBe(reason);
    expect(await turn(made, 'r3')).toBeUndefined();
    const notice = `${sentence} The conversation before it can be brought back: openclaw sessions restore ${KEY}`;
    expect(await texts(made)).toEqual(['answer to r1', notice, 'answer to r2', 'answer to r3']);
    // Adapters hear of it when it is opened, not when it is first offered again.
    const told = await deliveries(made);
    await until(() => opened(made).length === 4);
    expect(opened(made)).toEqual(told.map(({ deliveryId }) => deliveryId));
    expect(told[1]).toMatchObject({ sessionKey: KEY, route: { channel: 'telegram', to: '123' }, state: 'open' });
    made = await restart(made, { clock, config });
    expect(await texts(made)).toHaveLength(4);
    await made.client.ackDelivery(StoreServiceAckDeliveryRequest.create({ agentId: 'main', deliveryId: told[1]?.deliveryId ?? '', result: DeliveryResult.create({ ok: true }) }));
    expect(await texts(made)).toEqual(['answer to r1', 'answer to r2', 'answer to r3']);
  });

  it('is not told where that is turned off, where nobody of a channel waits, or where sending is denied', async () => {
    const idle = { mode: 'idle', idleMinutes: 60 };
    for (const [config, replyRoute] of [
      [configOf({ ...idle, notice: false }), ROUTE],
      [configOf(idle), null],
      [configOf(idle, { sendPolicy: { default: 'deny' } }), ROUTE],
    ] as const) {
      const clock = shiftedClock();
      const made = await bench({ clock, config });
      await turn(made, 'r1', replyRoute);
      clock.atMs += 2 * HOUR_MS;
      expect(await turn(made, 'r2', replyRoute)).toBe('idle');
      expect((await texts(made)).filter((text) => text.includes('new session'))).toEqual([]);
    }
  });

  it('is not told of a reset that somebody asked for', async () => {
    const made = await bench({ config: configOf({ mode: 'none' }) });
    await turn(made, 'r1');
    const { reset, reply } = await made.client.deliver(telegram('/new', { messageId: 'm-2' }));
    expect([reset?.reason, reply]).toEqual(['new', 'New session started.']);
    expect((await texts(made)).filter((text) => text.includes('brought back'))).toEqual([]);
  });
});

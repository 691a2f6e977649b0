/** Events leave with what their connection sends next: in order, in one write, never later than the event loop's turn. */
import { Event, GetEntryResponse } from '@sessions/contracts';
import { until } from '../testing';
import { NatsBench, clientOf, internals, request, serve, subjects } from '../testing/nats-bench';
import type { NatsBus } from './options';

jest.setTimeout(30_000);

let bench: NatsBench;
beforeEach(async () => (bench = await NatsBench.open()));
afterEach(() => bench.close());

const event = (seq: number) => Event.create({ agentId: 'main', seq });
const publish = (bus: NatsBus, seq: number): void => bus.events.publish(subjects.event('main', 'changed', 'agent:main:main'), Event, event(seq));

/** What one connection hands to its socket, write by write: how many messages each holds. */
function writesOf(bus: NatsBus): string[] {
  const { transport } = (internals(bus).nc as unknown as { readonly protocol: { readonly transport: { send(bytes: Uint8Array): void } } }).protocol;
  const writes: string[] = [];
  const send = transport.send.bind(transport);
  transport.send = (bytes) => {
    writes.push([...Buffer.from(bytes).toString('latin1').matchAll(/^H?PUB (\S+)/gm)].map(([, subject]) => (subject?.includes('.events.') === true ? 'event' : 'other')).join(' '));
    send(bytes);
  };
  return writes;
}

async function seenBy(bus: NatsBus): Promise<number[]> {
  const seen: number[] = [];
  await bus.events.subscribe(subjects.events(), Event, ({ seq }) => void seen.push(seq));
  return seen;
}

describe('an event', () => {
  it('leaves in the write of the answer to the call that caused it', async () => {
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
    const seen = await seenBy(router);
    await serve(writer, {
      getEntry: async () => {
        publish(writer, 1);
        await Promise.resolve();
        return GetEntryResponse.create({ key: 'k' });
      },
    });
    const writes = writesOf(writer);
    await clientOf(router).getEntry(request);
    await until(() => seen.length === 1);
    expect(writes.filter((write) => write !== '')).toEqual(['event other']);
  });

  it('leaves before the call that was made after it, and by itself where nothing follows', async () => {
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
    const seen = await seenBy(writer);
    await serve(writer, { getEntry: async () => GetEntryResponse.create({ key: 'k' }) });
    const writes = writesOf(router);
    publish(router, 1);
    await clientOf(router).getEntry(request);
    await until(() => seen.length === 1);
    publish(router, 2);
    await until(() => seen.length === 2);
    expect(seen).toEqual([1, 2]);
    expect(writes.join(' ').split(' ').filter((kind) => kind !== '')).toEqual(['event', 'other', 'event']);
  });

  it('is one of many: a thousand in one turn arrive in order, and those of a bus that closes too', async () => {
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
    const seen = await seenBy(router);
    for (let seq = 1; seq <= 1_000; seq += 1) publish(writer, seq);
    await writer.close();
    await until(() => seen.length === 1_000);
    expect(seen).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
  });

  it('that waits while its connection is lost is sent when it stands again, before later ones', async () => {
    const [writer, router] = [await bench.connect('store-writer'), await bench.connect('router')];
    const seen = await seenBy(router);
    publish(writer, 1);
    const link = writer as unknown as { readonly internals: { readonly nc: { reconnect(): Promise<void> } } };
    await link.internals.nc.reconnect();
    publish(writer, 2);
    await until(() => seen.length === 2);
    expect(seen).toEqual([1, 2]);
  });
});

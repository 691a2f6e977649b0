import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SessionError } from '@sessions/domain';
import { createManualClock, createRecordingLogger } from '@sessions/host/testing';
import type { Connection } from './connection';
import type { ConnectionDeps } from './connection-deps';
import { FRAME_BYTES_MAX, HANDSHAKE_TIMEOUT_MS, REQUESTS_IN_FLIGHT_MAX, TICK_INTERVAL_MS } from './connection-bounds';
import { SMALL_FRAME_BYTES_MAX } from './frame-bounds';
import { numberedFrame, textFrame } from './shared-frame';
import { createGatewaySockets } from '../edge/websocket';
import { TestClient, connectParams } from '../testing/router-harness';

/** 50 MB through one socket, on a machine that may be busy. */
const LARGE_TEST_TIMEOUT_MS = 60_000;

interface Edge {
  readonly url: string;
  readonly clock: ReturnType<typeof createManualClock>;
  readonly logger: ReturnType<typeof createRecordingLogger>;
  readonly connections: ReadonlySet<Connection>;
  stop(): Promise<void>;
}

async function startEdge(more: Partial<ConnectionDeps> = {}): Promise<Edge> {
  const clock = createManualClock(1_780_000_000_000);
  const logger = createRecordingLogger();
  const sockets = createGatewaySockets({
    clock,
    logger,
    handshakeFacts: () => ({ authority: { users: [] } }),
    hello: async () => ({ type: 'hello-ok' }),
    serve: async () => ({ payload: {} }),
    onConnected: () => undefined,
    ...more,
  });
  const server = createServer();
  server.on('upgrade', (request: IncomingMessage, socket, head) => sockets.handleUpgrade(request, socket, head));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    clock,
    logger,
    connections: sockets.connections,
    async stop() {
      sockets.stop();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function connected(edge: Edge): Promise<TestClient> {
  const client = await TestClient.open(edge.url);
  expect((await client.request('connect', connectParams())).ok).toBe(true);
  return client;
}

let edge: Edge;
afterEach(() => edge.stop());

describe('a connection', () => {
  it('ends when connect does not come in time', async () => {
    edge = await startEdge();
    const client = await TestClient.open(edge.url);
    await edge.clock.advance(HANDSHAKE_TIMEOUT_MS);
    expect(await client.whenClosed()).toEqual({ code: 1000, reason: '' });
  });

  it('ticks, and is cut when its client gives no sign of life', async () => {
    edge = await startEdge();
    const client = await connected(edge);
    await edge.clock.advance(TICK_INTERVAL_MS);
    const tick = await client.until(() => client.events('tick')[0]);
    expect(tick).toEqual({ type: 'event', event: 'tick', payload: { ts: edge.clock.nowMs() } });
    // A client that is stopped in its tracks neither reads nor answers.
    client.socket.pause();
    await edge.clock.advance(TICK_INTERVAL_MS);
    await edge.clock.advance(TICK_INTERVAL_MS);
    client.socket.resume();
    expect((await client.whenClosed()).code).toBe(1006);
  });

  it('ends for a client that does not read, instead of keeping everything for it', async () => {
    edge = await startEdge({ bufferedBytesMax: 1024 * 1024 });
    const client = await connected(edge);
    client.socket.pause();
    const [connection] = edge.connections;
    const text = JSON.stringify({ type: 'event', event: 'bulk', payload: { text: 'x'.repeat(256 * 1024) } });
    let peakBytes = 0;
    // More than the kernel takes for a reader that stands still.
    for (let place = 0; place < 200; place += 1) {
      connection?.sendFrame(textFrame(text));
      peakBytes = Math.max(peakBytes, connection?.bufferedBytes ?? 0);
    }
    expect(peakBytes).toBeLessThanOrEqual(1024 * 1024 + 1024);
    expect(edge.logger.lines.some(({ msg }) => msg === 'connection closed because its client does not read')).toBe(true);
    client.socket.resume();
    expect(await client.whenClosed()).toEqual({ code: 1008, reason: 'slow consumer' });
  });

  it('sends what was given to it in that order, events of every length and answers', async () => {
    edge = await startEdge({
      serve: (connection) => {
        connection.sendFrame(textFrame(JSON.stringify({ type: 'event', event: 'inside', payload: {} })));
        return Promise.resolve({ payload: {} });
      },
    });
    const client = await connected(edge);
    const [connection] = edge.connections;
    // Lengths about the bounds of a frame's length field, and characters of several bytes.
    const lengths = [0, 1, 60, 70, 125, 126, 127, 65_400, 65_535, 65_536, 70_000];
    const shared = lengths.map((length) => textFrame(JSON.stringify({ type: 'event', event: 'plain', payload: { text: 'é'.repeat(length) } })));
    const numbered = numberedFrame('counted', JSON.stringify({ text: '\u{1f512}' }));
    for (const [place, frame] of shared.entries()) {
      connection?.sendFrame(frame);
      connection?.broadcastFrame(numbered, false);
      if (place === 5) connection?.sendText(JSON.stringify({ type: 'event', event: 'own', payload: {} }));
    }
    expect((await client.request('health')).ok).toBe(true);
    const plain = client.events('plain').map(({ payload }) => String(payload.text).length);
    expect(plain).toEqual(lengths);
    expect(client.events('counted').map(({ seq, payload }) => [seq, payload.text])).toEqual(lengths.map((_, place) => [place + 1, '\u{1f512}']));
    const names = client.frames.slice(-2 * lengths.length - 3).map((frame) => (frame.type === 'event' ? frame.event : frame.type));
    expect(names).toEqual([...lengths.flatMap((_, place) => ['plain', 'counted', ...(place === 5 ? ['own'] : [])]), 'inside', 'res']);
    client.close();
  });

  it('bounds the requests that are open at a time', async () => {
    const open: (() => void)[] = [];
    edge = await startEdge({ serve: () => new Promise((resolve) => open.push(() => resolve({ payload: {} }))) });
    const client = await connected(edge);
    for (let place = 0; place <= REQUESTS_IN_FLIGHT_MAX; place += 1) client.send({ type: 'req', id: `q${place}`, method: 'health' });
    const refused = await client.answerTo(`q${REQUESTS_IN_FLIGHT_MAX}`);
    expect(refused.error).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'OVERLOADED' } });
    for (const finish of open) finish();
    expect((await client.answerTo('q0')).ok).toBe(true);
    client.close();
  });

  it('refuses a frame above the announced size with its close code', async () => {
    edge = await startEdge();
    const client = await connected(edge);
    client.send(JSON.stringify({ type: 'req', id: 'q', method: 'health', params: { text: 'x'.repeat(FRAME_BYTES_MAX) } }));
    expect((await client.whenClosed()).code).toBe(1009);
    const other = await connected(edge);
    other.send(JSON.stringify({ type: 'req', id: 'q', method: 'chat.send', params: { files: Array.from({ length: 4 }, () => 'x'.repeat(FRAME_BYTES_MAX / 4 - 1024)) } }));
    expect((await other.answerTo('q')).ok).toBe(true);
    other.close();
  }, LARGE_TEST_TIMEOUT_MS);

  it('refuses a large frame of a method that takes none, and stays', async () => {
    const served: string[] = [];
    edge = await startEdge({ serve: (_connection, { method }) => (served.push(method), Promise.resolve({ payload: {} })) });
    const client = await connected(edge);
    client.send(JSON.stringify({ type: 'req', id: 'q', method: 'sessions.list', params: { search: 'x'.repeat(SMALL_FRAME_BYTES_MAX) } }));
    expect((await client.answerTo('q')).error).toMatchObject({ code: 'INVALID_REQUEST', details: { reason: 'TOO_LARGE', method: 'sessions.list', bound: SMALL_FRAME_BYTES_MAX } });
    expect((await client.request('health')).ok).toBe(true);
    expect(served).toEqual(['health']);
    client.close();
  });

  it('keeps out of the way of texts that are no UTF-8', async () => {
    edge = await startEdge();
    const client = await connected(edge);
    client.socket.send(Buffer.from([0xff, 0xfe, 0xfd]), { binary: false });
    expect((await client.whenClosed()).code).toBe(1007);
  });

  it('tells a request that its client has left', async () => {
    let signal: AbortSignal | undefined;
    edge = await startEdge({
      serve: (connection) => {
        signal = connection.signal;
        return new Promise((_resolve, reject) => connection.signal.addEventListener('abort', () => reject(connection.signal.reason as Error)));
      },
    });
    const client = await connected(edge);
    client.send({ type: 'req', id: 'q', method: 'health' });
    while (signal === undefined) await new Promise((resolve) => setImmediate(resolve));
    client.close();
    while (!signal.aborted) await new Promise((resolve) => setImmediate(resolve));
    expect(signal.reason).toBeInstanceOf(SessionError);
    expect(edge.connections.size).toBe(0);
  });

  it('says nothing of a fault of ours but that there was one', async () => {
    edge = await startEdge({ serve: () => Promise.reject(new Error('secret inside')) });
    const client = await connected(edge);
    expect((await client.request('health')).error).toMatchObject({ code: 'UNAVAILABLE', message: 'internal error', details: { reason: 'INTERNAL' } });
    expect(JSON.stringify(edge.logger.lines)).not.toContain('secret inside');
    client.close();
  });
});

/**
 * Hostile input at every door: nothing crashes, nothing stands still, nothing of a conversation is
 * logged, no agent id leaves its grammar. SESS_FUZZ_INPUTS widens it, SESS_FUZZ_SEED repeats it.
 */
import { connect } from 'node:net';
import { Metadata, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { Client } from '@grpc/grpc-js';
import { RouterServiceService } from '@sessions/contracts';
import { METHOD_PARAMS } from '../gateway/method-params';
import { KNOWN_METHODS } from '../gateway/methods';
import { HOOK_TOKEN, INPUTS, TIMEOUT_MS, oneLine, startFuzzRouter, times } from '../testing/fuzz-router';
import type { FuzzRouter } from '../testing/fuzz-router';
import type { FuzzValues } from '../testing/fuzz-values';
import { TOKEN, TestClient, connectParams } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';

let house: FuzzRouter;
let running: RunningRouter;
let values: FuzzValues;

beforeEach(async () => {
  house = await startFuzzRouter();
  ({ running, values } = house);
});
afterEach(() => house.stop());

/** Parameters of a method: some as declared, some not, some strange. */
function paramsOf(method: string): unknown {
  if (values.next() < 0.1) return values.value();
  const names = Object.keys(METHOD_PARAMS[method]?.members ?? {});
  const chosen = names.filter(() => values.next() < 0.5);
  const params: Record<string, unknown> = Object.fromEntries(chosen.map((name) => [name, values.next() < 0.8 ? values.text() : values.value()]));
  // What waits must not make the test wait.
  if ('timeoutMs' in params) params.timeoutMs = values.below(3);
  if (method === 'agent.wait' && !('timeoutMs' in params)) params.timeoutMs = 1;
  return params;
}

describe('the WebSocket', () => {
  it('answers every request, whatever its parameters', async () => {
    const client = await running.client();
    await times(INPUTS, async () => {
      const method = values.pick(KNOWN_METHODS);
      const answer = await client.request(method, paramsOf(method));
      if (!answer.ok) expect([method, answer.error.code]).toEqual([method, expect.stringMatching(/^(INVALID_REQUEST|UNAVAILABLE|AGENT_TIMEOUT)$/)]);
      if (!answer.ok) expect([method, answer.error.details?.reason]).not.toEqual([method, 'INTERNAL']);
    });
  }, TIMEOUT_MS);

  it('takes frames that are none', async () => {
    let client = await running.client();
    for (let place = 0; place < INPUTS; place += 1) {
      const whole = JSON.stringify({ type: 'req', id: `x${place}`, method: values.text(), params: values.value() });
      const frame = values.pick([() => whole.slice(0, values.below(whole.length)), () => JSON.stringify(values.value()), () => values.bytes(200).toString('latin1'), () => whole, () => '['.repeat(5000)])();
      if (values.next() < 0.2) client.socket.send(values.bytes(100));
      client.send(frame);
      if (place % 50 === 49) {
        expect((await client.request('sessions.subscribe')).ok).toBe(true);
        client.close();
        client = await running.client();
      }
    }
    expect((await client.request('sessions.list')).ok).toBe(true);
  }, TIMEOUT_MS);

  it('lets nobody in by a strange connect', async () => {
    await times(INPUTS, async () => {
      const client = await TestClient.open(running.wsUrl);
      const params = connectParams({ auth: { token: values.text() } });
      params[values.pick(['client', 'role', 'scopes', 'auth', 'device', 'minProtocol', values.text().slice(0, 40)])] = values.value();
      if (JSON.stringify(params).includes(TOKEN)) return client.close();
      client.send({ type: 'req', id: 'c', method: 'connect', params });
      await client.until(() => client.closed ?? client.frames.find((frame) => frame.type === 'res'));
      expect(client.frames.filter((frame) => frame.type === 'res' && frame.ok)).toEqual([]);
      client.close();
    });
  }, TIMEOUT_MS);
});

/** One request as bytes; resolves with what came back before the connection ended or fell silent. */
function rawRequest(request: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const { port } = new URL(running.url);
    const socket = connect(Number(port), '127.0.0.1');
    const chunks: Buffer[] = [];
    const finish = (): void => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString('latin1'));
    };
    socket.setTimeout(250, finish).on('data', (chunk) => chunks.push(chunk)).on('error', finish).on('close', finish);
    socket.end(request);
  });
}

describe('HTTP', () => {
  it('answers strange paths, headers and bodies', async () => {
    const paths = ['/v1/messages', '/sessions/KEY/history', '/sessions/KEY/kill', '/tools/invoke', '/hooks/agent', '/hooks/wake', '/v1/deliveries/KEY/ack', '/KEY'];
    await times(INPUTS, async () => {
      const path = values.pick(paths).replace('KEY', () => (values.next() < 0.5 ? encodeURIComponent(Buffer.from(values.text()).toString()) : oneLine(values.text()).replace(/\s/g, '+')));
      const query = values.next() < 0.5 ? '' : `?${oneLine(values.pick(['limit', 'cursor', 'includeTools', 'wait', values.text()]))}=${oneLine(values.text()).replace(/\s/g, '+')}`;
      const body = values.next() < 0.3 ? values.bytes(500) : Buffer.from(JSON.stringify(values.value()) ?? '');
      const token = path.startsWith('/hooks') ? HOOK_TOKEN : TOKEN;
      const header = values.next() < 0.3 ? `${oneLine(values.text()).replace(/[^\w-]/g, '') || 'x'}: ${oneLine(values.text())}\r\n` : '';
      const head = `${values.pick(['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', oneLine(values.text()) || 'X'])} ${path}${query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${header}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
      const answer = await rawRequest(Buffer.concat([Buffer.from(head, 'latin1'), body]));
      expect([head, /^HTTP\/1\.1 500/.test(answer)]).toEqual([head, false]);
    });
  }, TIMEOUT_MS);

  it('takes bytes that are no request', async () => {
    await times(INPUTS, async () => void (await rawRequest(values.bytes(400))));
  }, TIMEOUT_MS);
});

describe('gRPC', () => {
  it('answers bytes that are no message', async () => {
    const methods = Object.entries(RouterServiceService).filter(([, { responseStream }]) => !responseStream);
    const raw = Object.fromEntries(methods.map(([name, method]) => [name, { ...method, requestSerialize: (bytes: Buffer) => bytes }]));
    const RawClient = makeGenericClientConstructor(raw as never, 'RouterService');
    const client = new RawClient(`127.0.0.1:${String(running.router.grpcAddress()?.port)}`, credentials.createInsecure()) as unknown as Client & Record<string, (...args: unknown[]) => unknown>;
    const meta = new Metadata();
    meta.set('authorization', `Bearer ${TOKEN}`);
    await times(INPUTS, async () => {
      const [name] = values.pick(methods);
      // A field with a text in it, or noise.
      const text = Buffer.from(values.text());
      const field = Buffer.concat([Buffer.from([((1 + values.below(6)) << 3) | 2, Math.min(text.length, 127)]), text.subarray(0, 127)]);
      // A number, often one that is too wide, sometimes inside another message.
      const number = Buffer.from([(1 + values.below(12)) << 3, ...Array.from(values.bytes(9), (byte) => byte | 0x80), values.below(2)]);
      const inner = values.next() < 0.3 ? Buffer.from([((1 + values.below(12)) << 3) | 2, number.length, ...number]) : number;
      const message = values.pick([values.bytes(80), field, Buffer.concat([field, values.bytes(10)]), Buffer.concat([field, inner])]);
      const code = await new Promise<number>((resolve) => void client[name]?.(message, meta, { deadline: Date.now() + 1_500 }, (error: { code: number } | null) => resolve(error?.code ?? 0)));
      // Neither UNKNOWN nor INTERNAL: what cannot be decoded is the client's mistake.
      expect([name, code === 2 || code === 13]).toEqual([name, false]);
    });
    client.close();
  }, TIMEOUT_MS);
});

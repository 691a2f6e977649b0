/** Hostile input where one request leads to many answers, or to a tool: streams of gRPC and HTTP, MCP, tools, hooks. */
import { Metadata, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { Client, ClientReadableStream } from '@grpc/grpc-js';
import { GetHistoryRequest, HistoryPosition, RouterServiceService, SubscribeRequest } from '@sessions/contracts';
import { SESSION_TOOL_NAMES } from '@sessions/domain';
import { HOOK_TOKEN, INPUTS, TIMEOUT_MS, oneLine, startFuzzRouter, times } from '../testing/fuzz-router';
import type { FuzzRouter } from '../testing/fuzz-router';
import type { FuzzValues } from '../testing/fuzz-values';
import { TOKEN } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';

/** A stream that follows says nothing more by itself. */
const SILENCE_MS = 20;
const ID = '0190aaaa-0000-7000-8000-000000000001';

let house: FuzzRouter;
let running: RunningRouter;
let values: FuzzValues;
beforeEach(async () => {
  house = await startFuzzRouter();
  ({ running, values } = house);
});
afterEach(() => house.stop());

const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(running.url + path, { method: 'POST', body, headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers } });
const json = (value: unknown): string => JSON.stringify(value) ?? '';
/** An object that has some of these members, each with a hostile value. */
const some = (names: readonly string[]): Record<string, unknown> => Object.fromEntries(names.filter(() => values.next() < 0.6).map((name) => [name, values.next() < 0.6 ? values.text() : values.value()]));
const maybe = <T>(value: T): T | undefined => (values.next() < 0.5 ? undefined : value);
const whole = (): number => Math.trunc(Number(values.pick([0, 1, 2, -1, 1001, 2 ** 31, Number.MAX_SAFE_INTEGER, values.below(50)])));

it('gRPC streams answer requests and bytes that are none', async () => {
  const methods = Object.entries(RouterServiceService).filter(([, { responseStream }]) => responseStream);
  expect(methods.map(([name]) => name).sort()).toEqual(['getHistory', 'streamDeliveries', 'subscribe']);
  const raw = Object.fromEntries(methods.map(([name, method]) => [name, { ...method, requestSerialize: (bytes: Buffer) => bytes }]));
  const RawClient = makeGenericClientConstructor(raw as never, 'RouterService');
  const client = new RawClient(`127.0.0.1:${String(running.router.grpcAddress()?.port)}`, credentials.createInsecure()) as unknown as Client & Record<string, (...args: unknown[]) => ClientReadableStream<unknown>>;
  const meta = new Metadata();
  meta.set('authorization', `Bearer ${TOKEN}`);
  const history = (): Uint8Array => {
    const after = values.next() < 0.5 ? undefined : HistoryPosition.create({ sessionId: values.pick([ID, values.text()]), messageSeq: whole(), recordId: maybe(values.text()) });
    return GetHistoryRequest.encode(GetHistoryRequest.create({ key: values.text(), limit: maybe(whole() % 2 ** 31), beforeSeq: maybe(whole()), includeTools: values.next() < 0.5, follow: values.next() < 0.5, after })).finish();
  };
  const subscription = (): Uint8Array => SubscribeRequest.encode(SubscribeRequest.create({ all: values.next() < 0.3, keys: Array.from({ length: values.below(4) }, () => values.text()) })).finish();
  await times(INPUTS, async () => {
    const [name] = values.pick(methods);
    const message = values.next() < 0.4 ? values.bytes(80) : Buffer.from(name === 'getHistory' ? history() : subscription());
    const code = await new Promise<number>((resolve) => {
      const stream = client[name]?.(message, meta, { deadline: Date.now() + 5_000 });
      const leaving = setTimeout(() => stream?.cancel(), SILENCE_MS);
      const end = (result: number): void => {
        clearTimeout(leaving);
        resolve(result);
      };
      stream?.on('data', () => undefined);
      stream?.on('error', (error: Error & { code: number }) => end(error.code));
      stream?.on('end', () => end(0));
    });
    expect([name, code]).not.toEqual([name, 2]);
  });
  client.close();
}, TIMEOUT_MS);

it('a live view begins with whatever it is asked to go on behind', async () => {
  await times(INPUTS, async () => {
    const id = values.pick([() => `${ID}:${String(whole())}`, () => `${ID}:${String(whole())}:${values.text()}`, () => `${values.text()}:${values.text()}`, () => values.text()])();
    const inQuery = values.next() < 0.3;
    const leaving = new AbortController();
    const query = inQuery ? `&lastEventId=${encodeURIComponent(Buffer.from(id).toString())}` : '';
    const headers = { authorization: `Bearer ${TOKEN}`, ...(!inQuery && { 'last-event-id': oneLine(id).trim() }) };
    const answer = await fetch(`${running.url}/sessions/${values.pick(['main', 'main', 'nope'])}/history?follow=1${query}`, { headers, signal: leaving.signal });
    if (![200, 400, 404].includes(answer.status)) throw new Error(`${id}: ${String(answer.status)} ${await answer.text()}`);
    const reader = answer.body?.getReader();
    await reader?.read();
    leaving.abort();
    await reader?.cancel().catch(() => undefined);
  });
}, TIMEOUT_MS);

it('MCP answers messages that are none, and calls with any arguments', async () => {
  const accept = { accept: 'application/json, text/event-stream' };
  const begin = async (): Promise<string> => {
    const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } } };
    const answer = await post('/mcp', json(initialize), accept);
    await answer.text();
    return answer.headers.get('mcp-session-id') ?? '';
  };
  let session = await begin();
  await times(INPUTS, async (place) => {
    const toolArgs = { ...some(['sessionKey', 'label', 'message', 'text', 'limit', 'kinds', 'task', 'agentId', 'model', 'runId', 'attachments']), timeoutSeconds: 0 };
    const call = { jsonrpc: '2.0', id: place, method: 'tools/call', params: { name: values.pick([...SESSION_TOOL_NAMES, values.text()]), arguments: values.next() < 0.8 ? toolArgs : values.value() } };
    const body = values.pick([() => json(call), () => json(call), () => json({ jsonrpc: values.pick(['2.0', values.value()]), id: values.value(), method: values.pick(['tools/list', 'ping', 'initialize', values.text()]), params: values.value() }), () => json(values.value()), () => values.bytes(200), () => json([call, values.value()])])();
    const named = values.next() < 0.9 ? session : oneLine(values.text()).trim();
    const key = values.next() < 0.5 ? '' : `?sessionKey=${encodeURIComponent(Buffer.from(values.text()).toString())}`;
    const answer = await post(`/mcp${key}`, body, { ...accept, ...(named !== '' && { 'mcp-session-id': named.slice(0, 500) }) });
    const text = await answer.text();
    expect([String(body), answer.status === 500 ? text : '']).toEqual([String(body), '']);
    if (answer.status === 404 && named === session) session = await begin();
  });
}, TIMEOUT_MS);

it('tools answer any arguments', async () => {
  await times(INPUTS, async () => {
    const args = values.next() < 0.8 ? { ...some(['sessionKey', 'label', 'message', 'limit', 'includeTools', 'kinds', 'model', 'action', 'target']), timeoutSeconds: 0 } : values.value();
    const body = json({ tool: values.pick([...SESSION_TOOL_NAMES, values.text()]), args, ...some(['action', 'sessionKey']) });
    const answer = await post('/tools/invoke', values.next() < 0.05 ? values.bytes(200) : body);
    const text = await answer.text();
    expect([body, answer.status === 500 && text.includes('"type":"internal"')]).toEqual([body, false]);
  });
}, TIMEOUT_MS);

it('hooks take any body', async () => {
  await times(INPUTS, async () => {
    const path = values.pick(['/hooks/agent', '/hooks/wake']);
    const body = values.next() < 0.8 ? json(some(['message', 'text', 'mode', 'name', 'agentId', 'sessionKey', 'deliver', 'idempotencyKey', 'channel'])) : values.next() < 0.5 ? json(values.value()) : values.bytes(300);
    const answer = await post(path, body, { authorization: `Bearer ${values.next() < 0.95 ? HOOK_TOKEN : oneLine(values.text()).trim()}` });
    await answer.text();
    expect([String(body), answer.status >= 500]).toEqual([String(body), false]);
  });
}, TIMEOUT_MS);

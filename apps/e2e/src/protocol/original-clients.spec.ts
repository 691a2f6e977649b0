/**
 * What the original's command line and control UI were seen to send, sent again: every frame is served,
 * in the shape that they read. The identities are new, since a signature holds for one connection.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newDevice } from '../support/device';
import type { Gateway } from '../support/gateway';
import { openSocket } from '../support/gateway-socket';
import type { GatewaySocket } from '../support/gateway-socket';
import { TOKEN, configWith, useScene } from '../support/scene';
import { ANSWERS, misfits } from './shape';

interface RecordedFrame {
  readonly method: string;
  readonly params?: Record<string, unknown>;
  /** Of a client that connects for each request. */
  readonly scopes?: readonly string[];
}
interface Recording {
  readonly connect: { readonly client: { readonly id: string; readonly mode: string; readonly platform: string }; readonly role: string; readonly scopes?: readonly string[] };
  readonly frames: readonly RecordedFrame[];
}

const recording = (name: string): Recording => JSON.parse(readFileSync(join(__dirname, '..', '..', 'fixtures', 'clients', `${name}.json`), 'utf8')) as Recording;
const scene = useScene();
const start = (): Promise<Gateway> => scene.gateway(scene.stateDir(configWith({ agents: { defaults: { model: 'demo/echo' } } })));

async function connect(gateway: Gateway, { connect: recorded }: Recording, device: ReturnType<typeof newDevice>, scopes: readonly string[], origin?: string): Promise<GatewaySocket> {
  const socket = await openSocket(gateway, origin === undefined ? {} : { origin });
  scene.onEnd(() => socket.close());
  const params = { ...recorded, scopes, auth: { token: TOKEN }, device: device.sign({ ...recorded, scopes, token: TOKEN, nonce: socket.nonce }) };
  const hello = await socket.request('connect', params);
  expect([hello.error, misfits(hello.payload, ANSWERS['connect'] ?? 'any')]).toEqual([undefined, []]);
  return socket;
}

async function send(socket: GatewaySocket, { method, params }: RecordedFrame): Promise<void> {
  const answer = await socket.request(method, params);
  expect([method, answer.error, misfits(answer.payload, ANSWERS[method] ?? 'missing')]).toEqual([method, undefined, []]);
  // Clients go on when the run is over.
  if (method === 'chat.send') await socket.next(({ event, payload }) => event === 'chat' && payload?.['runId'] === params?.['idempotencyKey'] && payload?.['state'] === 'final');
}

it('the control UI lists, follows, chats, renames and adds up', async () => {
  const gateway = await start();
  const recorded = recording('control-ui');
  const socket = await connect(gateway, recorded, newDevice(), recorded.connect.scopes ?? [], gateway.url);
  for (const frame of recorded.frames) await send(socket, frame);
  const { sessions } = await socket.call('sessions.list', {});
  expect(sessions).toMatchObject([{ key: 'agent:main:main', label: 'Renamed', verboseLevel: 'full', status: 'done', hasActiveRun: false }]);
  const { messages } = await socket.call('chat.history', { sessionKey: 'main' });
  expect((messages as { role: string }[]).map(({ role }) => role)).toEqual(['user', 'assistant']);
});

it('what the control UI sends for the actions of a row, and what its pages load beside the sessions', async () => {
  const gateway = await start();
  const recorded = recording('control-ui-actions');
  const socket = await connect(gateway, recorded, newDevice(), recorded.connect.scopes ?? [], gateway.url);
  await socket.call('sessions.create', { key: 'main' });
  for (const frame of recorded.frames) await send(socket, frame);
  const made = async (): Promise<{ key: string; label?: string }[]> => (await socket.call('sessions.list', {}))['sessions'] as { key: string; label?: string }[];
  const page = (await made()).find(({ label }) => label === 'From the page');
  expect((await made()).map(({ label }) => label).sort()).toEqual(['From the page', 'Mine']);
  await send(socket, { method: 'sessions.delete', params: { key: page?.key, deleteTranscript: true } });
  expect((await made()).map(({ label }) => label)).toEqual(['Mine']);
});

it('shows a run as active from its beginning to its end', async () => {
  const gateway = await start();
  const recorded = recording('control-ui');
  const socket = await connect(gateway, recorded, newDevice(), recorded.connect.scopes ?? [], gateway.url);
  await socket.call('sessions.subscribe', {});
  const phase = (wanted: string): Promise<unknown> =>
    socket.next(({ event, payload }) => event === 'sessions.changed' && payload?.['phase'] === wanted).then(({ payload }) => [payload?.['status'], payload?.['hasActiveRun'], (payload?.['session'] as Record<string, unknown> | undefined)?.['hasActiveRun']]);
  await socket.call('chat.send', { sessionKey: 'main', message: 'a longer text of several words', idempotencyKey: 'k' });
  expect(await phase('start')).toEqual(['running', true, true]);
  expect(await phase('end')).toEqual(['done', false, false]);
});

it('the command line is served one connection a request, each with the least scope', async () => {
  const gateway = await start();
  const recorded = recording('cli');
  const device = newDevice();
  for (const frame of recorded.frames) {
    const socket = await connect(gateway, recorded, device, frame.scopes ?? []);
    await send(socket, frame);
    if (frame.method === 'agent') {
      // The second answer under the same id.
      const { payload } = await socket.next(({ type, id }) => type === 'res' && id !== undefined);
      expect(payload).toMatchObject({ status: 'ok', summary: 'completed', result: { payloads: [{ text: 'Echo: Hello agent' }] } });
    }
    socket.close();
  }
});

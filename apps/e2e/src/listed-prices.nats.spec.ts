/** Models without a configured price: what a run costs by the public list of prices, which is asked for once, in one process and apart. */
import { startNatsServer } from '@sessions/bus/testing';
import { startModelServer } from '@sessions/llm/testing';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './support/command';
import type { GatewaySocket } from './support/gateway-socket';
import { TOKEN, configWith, useScene } from './support/scene';
import { startApp } from './support/split-app';

const scene = useScene();
/** Several starts of processes, on a machine that others use too. */
const LONG_MS = 240_000;
const USAGE = { input: 1_000, output: 200 };
/** Of 3 and 15 US dollars for a million tokens. */
const RUN_COST = 0.006;

/** A list for `local/small` in the place of the public one; what is asked of it is a byte in `asked`. */
async function priced(): Promise<{ stateDir: string; env: Record<string, string>; askedCount: () => number }> {
  const model = await startModelServer(() => ({ chunks: ['answer'], usage: USAGE }));
  scene.onEnd(() => model.close());
  const provider = { baseUrl: model.baseUrl, api: 'openai-completions', apiKey: 'k', models: ['small', 'other'].map((id) => ({ id, contextWindow: 32_768, maxTokens: 512 })) };
  const stateDir = scene.stateDir(configWith({ agents: { defaults: { model: 'local/small' }, list: [{ id: 'main', default: true }, { id: 'free', model: 'local/other' }] }, models: { providers: { local: provider } } }));
  const [script, asked] = ['list-of-prices.cjs', 'asked'].map((name) => join(stateDir, name)) as [string, string];
  const list = { data: [{ id: 'local/small', pricing: { prompt: '0.000003', completion: '0.000015' } }, { id: 'local/smaller', pricing: { prompt: '1', completion: '1' } }] };
  writeFileSync(script, `const real = globalThis.fetch;
globalThis.fetch = async (url, init) => {
  if (String(url) !== 'https://openrouter.ai/api/v1/models') return real(url, init);
  require('node:fs').appendFileSync(${JSON.stringify(asked)}, '.');
  return new Response(${JSON.stringify(JSON.stringify(list))});
};
`);
  return { stateDir, env: { NODE_OPTIONS: `--require=${script}` }, askedCount: () => (existsSync(asked) ? readFileSync(asked, 'utf8').length : 0) };
}

async function ask(socket: GatewaySocket, agentId: string, runId: string): Promise<void> {
  await socket.call('chat.send', { sessionKey: `agent:${agentId}:main`, message: 'hello', idempotencyKey: runId });
  expect(await socket.call('agent.wait', { runId, timeoutMs: 60_000 })).toMatchObject({ status: 'ok' });
}
const totalsOf = async (socket: GatewaySocket): Promise<unknown> => (await socket.call('sessions.usage', { range: 'all' }))['totals'];

it('is counted by the list, which is asked for once, over a restart too; a price that stands in no list stays unknown', async () => {
  const { stateDir, env, askedCount } = await priced();
  for (const [start, runId] of ['first', 'second'].entries()) {
    const gateway = await scene.gateway(stateDir, { env });
    const socket = await scene.socket(gateway, { token: TOKEN });
    // The list comes beside the start.
    for (const deadline = Date.now() + 30_000; askedCount() === 0 && Date.now() < deadline; ) await new Promise((resolve) => setTimeout(resolve, 20));
    await ask(socket, 'main', runId);
    await ask(socket, 'free', `${runId}-free`);
    expect(await totalsOf(socket)).toMatchObject({ totalCost: RUN_COST * (start + 1), missingCostEntries: start + 1 });
    await gateway.stop();
  }
  expect(askedCount()).toBe(1);
  expect(JSON.parse(readFileSync(join(stateDir, 'cache', 'model-prices.json'), 'utf8'))).toMatchObject({ prices: { 'local/small': { input: 3, output: 15 } } });
}, LONG_MS);

it('is counted so where the services are apart', async () => {
  const { stateDir, env, askedCount } = await priced();
  const nats = await startNatsServer();
  scene.onEnd(() => nats.stop());
  expect((await runCommand(stateDir, ['gateway', 'setup-bus', '--bus', nats.url])).exitCode).toBe(0);
  const apps = [];
  for (const app of ['store-writer', 'agent-runner', 'router'] as const) {
    const started = await startApp(app, stateDir, nats.url, { env });
    scene.onEnd(() => started.kill());
    apps.push(started);
  }
  const socket = await scene.socket({ url: `http://127.0.0.1:${String(apps[2]?.port)}`, grpc: undefined, token: TOKEN }, { token: TOKEN });
  for (const deadline = Date.now() + 30_000; askedCount() === 0 && Date.now() < deadline; ) await new Promise((resolve) => setTimeout(resolve, 20));
  await ask(socket, 'main', 'run');
  expect(await totalsOf(socket)).toMatchObject({ totalCost: RUN_COST, missingCostEntries: 0 });
  // Only who owns stores has a use for prices.
  expect(askedCount()).toBe(1);
}, LONG_MS);

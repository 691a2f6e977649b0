/** What runs cost, added up once and for good: the same sum at every door, whatever becomes of the sessions. */
import { GetUsageRequest } from '@sessions/contracts';
import type { GetUsageResponse } from '@sessions/contracts';
import { startModelServer } from '@sessions/llm/testing';
import { runCommand } from './support/command';
import type { Gateway } from './support/gateway';
import { openGrpc } from './support/grpc-client';
import type { GatewaySocket } from './support/gateway-socket';
import { TOKEN, configWith, useScene } from './support/scene';

const scene = useScene();
/** US dollars for a million tokens. */
const COST = { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 };
const configOf = (baseUrl: string): Record<string, unknown> =>
  configWith({
    agents: { defaults: { model: 'local/small' }, list: [{ id: 'main', default: true }, { id: 'free', model: 'demo/echo' }] },
    models: { providers: { local: { baseUrl, api: 'openai-completions', apiKey: 'k', models: [{ id: 'small', contextWindow: 32_768, maxTokens: 512, cost: COST }] } } },
  });
/** Two starts of a gateway and two commands, on a machine that others use too. */
const LONG_MS = 240_000;
const cents = (usd: unknown): number => Math.round(Number(usd) * 1e8) / 1e6;

interface Totals {
  readonly input: number;
  readonly output: number;
  readonly totalCost?: number;
  readonly inputCost?: number;
  readonly outputCost?: number;
  readonly missingCostEntries: number;
}

async function ask(socket: GatewaySocket, sessionKey: string, message: string): Promise<void> {
  const runId = `${sessionKey}-${message}`.replaceAll(' ', '-');
  await socket.call('chat.send', { sessionKey, message, idempotencyKey: runId });
  expect(await socket.call('agent.wait', { runId, timeoutMs: 60_000 })).toMatchObject({ status: 'ok' });
}

async function start(stateDir: string): Promise<{ gateway: Gateway; socket: GatewaySocket }> {
  const gateway = await scene.gateway(stateDir, { args: ['--grpc-port', '0', '--token', TOKEN] });
  return { gateway, socket: await scene.socket(gateway) };
}

/** The sum over all agents, from every door that tells it. */
async function everywhere(gateway: Gateway, socket: GatewaySocket): Promise<Totals> {
  const totals = (await socket.call('sessions.usage', { range: 'all' }))['totals'] as Totals;
  const cost = await socket.call('usage.cost', { range: 'all' });
  expect(cost['totals']).toEqual(totals);
  const days = cost['daily'] as Totals[];
  expect(cents(days.reduce((sum, { totalCost = 0 }) => sum + totalCost, 0))).toBe(cents(totals.totalCost));
  const grpc = openGrpc(gateway);
  try {
    const { totals: sum } = await grpc.call<GetUsageResponse>('getUsage', GetUsageRequest.create({ startDate: '1970-01-01' }));
    expect([sum?.inputTokens, sum?.outputTokens, cents(sum?.costUsd), sum?.unpricedCount]).toEqual([totals.input, totals.output, cents(totals.totalCost), totals.missingCostEntries]);
  } finally {
    grpc.close();
  }
  return totals;
}

async function statusOf(stateDir: string): Promise<Record<string, object | undefined>> {
  const { stdout } = await runCommand(stateDir, ['status', '--usage', '--json']);
  const { sessions } = JSON.parse(stdout) as { sessions: { byAgent: { agentId: string; usage?: object }[] } };
  return Object.fromEntries(sessions.byAgent.map(({ agentId, usage }) => [agentId, usage]));
}

it('is the sum of the runs, and stays it over truncation, reset, deletion, kill and restart', async () => {
  // Each answer takes other numbers, so that no sum is right by chance.
  const model = await startModelServer(({ number }) => ({ chunks: ['answer'], usage: { input: 1_001 + number * 37, output: 101 + number * 13 } }));
  scene.onEnd(() => model.close());
  const stateDir = scene.stateDir(configOf(model.baseUrl));
  let { gateway, socket } = await start(stateDir);
  const keys = ['agent:main:main', 'agent:main:one', 'agent:main:two'];
  for (const [place, key] of keys.entries()) for (let times = 0; times <= place; times += 1) await ask(socket, key, `message ${String(times)}`);
  await ask(socket, 'agent:free:main', 'for nothing');

  // What the transcripts say each run used, at the configured price.
  let expected = 0;
  for (const key of keys) {
    const { messages } = await socket.call('sessions.get', { key });
    for (const { usage } of messages as { usage?: { input: number; output: number } }[]) if (usage !== undefined) expected += (usage.input * COST.input + usage.output * COST.output) / 1e6;
  }
  expect(expected).toBeGreaterThan(0);
  const before = await everywhere(gateway, socket);
  expect(cents(before.totalCost)).toBe(cents(expected));
  expect(before.missingCostEntries).toBe(1);
  const { sessions } = (await socket.call('sessions.list', { limit: 100 })) as { sessions: { key: string; estimatedCostUsd?: number }[] };
  expect(cents(sessions.reduce((sum, { estimatedCostUsd = 0 }) => sum + estimatedCostUsd, 0))).toBe(cents(expected));
  // A price that nobody knows is no price of nothing.
  expect(sessions.find(({ key }) => key === 'agent:free:main')).not.toHaveProperty('estimatedCostUsd');
  expect(((await socket.call('usage.cost', { range: 'all', agentId: 'free' }))['totals'] as object)).not.toHaveProperty('totalCost');

  expect(await socket.call('sessions.compact', { key: 'agent:main:two', maxLines: 2 })).toMatchObject({ compacted: true });
  expect(await everywhere(gateway, socket)).toEqual(before);
  await socket.call('sessions.reset', { key: 'agent:main:two' });
  expect(await everywhere(gateway, socket)).toEqual(before);
  expect(await socket.call('sessions.delete', { key: 'agent:main:one' })).toMatchObject({ deleted: true });
  expect(await everywhere(gateway, socket)).toEqual(before);

  await gateway.kill();
  const { free, main } = await statusOf(stateDir);
  expect(main).toMatchObject({ source: 'ledger', missingCostEntries: 0 });
  expect(cents((main as { estimatedCostUsd: number }).estimatedCostUsd)).toBe(cents(before.totalCost));
  expect(free).toMatchObject({ source: 'ledger', missingCostEntries: 1 });
  expect(free).not.toHaveProperty('estimatedCostUsd');
  ({ gateway, socket } = await start(stateDir));
  expect(await everywhere(gateway, socket)).toEqual(before);
  await ask(socket, 'agent:main:two', 'once more');
  const after = await everywhere(gateway, socket);
  expect(after.totalCost).toBeGreaterThan(before.totalCost ?? 0);
  // Beside a living gateway the files say the same.
  expect(cents(((await statusOf(stateDir))['main'] as { estimatedCostUsd: number }).estimatedCostUsd)).toBe(cents(after.totalCost));
}, LONG_MS);

it('shows what came out of a model that did not count it as unknown, and not as nothing', async () => {
  const model = await startModelServer(({ number }) => ({ chunks: ['answer'], usage: number % 2 === 0 ? { input: 1_000 } : { input: 1_000, output: 100 } }));
  scene.onEnd(() => model.close());
  const { gateway, socket } = await start(scene.stateDir(configOf(model.baseUrl)));
  for (const key of ['agent:main:one', 'agent:main:two', 'agent:main:three', 'agent:main:four']) await ask(socket, key, 'hello');
  const totals = await everywhere(gateway, socket);
  expect(totals).toMatchObject({ input: 4_000, output: 200, missingCostEntries: 2 });
  expect([totals.totalCost, totals.inputCost, totals.outputCost]).toEqual([0.009, 0.006, 0.003]);
  const { sessions } = (await socket.call('sessions.list', {})) as { sessions: { estimatedCostUsd?: number }[] };
  expect(sessions.map(({ estimatedCostUsd }) => estimatedCostUsd).sort()).toEqual([0.0045, 0.0045, undefined, undefined]);
}, LONG_MS);

it('counts what a summary took, beside the runs', async () => {
  const spent: { input: number; output: number }[] = [];
  const model = await startModelServer(({ number }) => {
    const usage = { input: 1_001 + number * 37, output: 101 + number * 13 };
    spent.push(usage);
    return { chunks: ['answer'], usage };
  });
  scene.onEnd(() => model.close());
  const { gateway, socket } = await start(scene.stateDir(configOf(model.baseUrl)));
  for (const message of ['one', 'two', 'three']) await ask(socket, 'agent:main:main', message);
  expect(spent).toHaveLength(3);
  expect(await socket.call('sessions.compact', { key: 'agent:main:main' })).toMatchObject({ compacted: true });
  expect(spent.length).toBeGreaterThan(3);
  const sum = (of: (usage: { input: number; output: number }) => number): number => spent.reduce((all, usage) => all + of(usage), 0);
  const totals = await everywhere(gateway, socket);
  expect(totals).toMatchObject({ input: sum(({ input }) => input), output: sum(({ output }) => output), missingCostEntries: 0 });
  expect(cents(totals.totalCost)).toBe(cents(sum(({ input, output }) => (input * COST.input + output * COST.output) / 1e6)));
}, LONG_MS);

/** The same question at every door and by the command line has the same answer: bounds of lists, agents, calls by name. */
import { ListSessionsRequest, SessionRow } from '@sessions/contracts';
import type { ListSessionsResponse } from '@sessions/contracts';
import { runCommand } from '../support/command';
import type { Gateway } from '../support/gateway';
import { openGrpc } from '../support/grpc-client';
import type { GrpcClient } from '../support/grpc-client';
import type { GatewaySocket } from '../support/gateway-socket';
import { TOKEN, configWith, sessionsDir, useScene, writeFile } from '../support/scene';

const scene = useScene('all');
const ROWS = 150;
const LINES = 5;
let stateDir: string;
let gateway: Gateway;
let socket: GatewaySocket;
let grpc: GrpcClient;

beforeAll(async () => {
  stateDir = scene.stateDir(configWith({ agents: { list: [{ id: 'main', default: true }] } }));
  const id = (place: number): string => `0190dddd-0000-7000-8000-${String(place).padStart(12, '0')}`;
  const entries = Object.fromEntries(Array.from({ length: ROWS }, (_, place) => [`agent:main:s${String(place)}`, { sessionId: id(place), updatedAt: 1_780_300_000_000 + place }]));
  writeFile(`${sessionsDir(stateDir)}/sessions.json`, JSON.stringify(entries));
  writeFile(`${sessionsDir(stateDir, 'disk-only')}/sessions.json`, JSON.stringify({ 'agent:disk-only:main': { sessionId: id(999), updatedAt: 1 } }));
  const lines = Array.from({ length: LINES - 1 }, (_, place) => JSON.stringify({ type: 'message', id: `0000000${String(place)}`, parentId: place === 0 ? null : `0000000${String(place - 1)}`, timestamp: '2026-06-01T00:00:00.000Z', message: { role: 'user', content: 'x', timestamp: 1 } }));
  writeFile(`${sessionsDir(stateDir)}/${id(0)}.jsonl`, `${[JSON.stringify({ type: 'session', version: 3, id: id(0), timestamp: '2026-06-01T00:00:00.000Z', cwd: '/' }), ...lines].join('\n')}\n`);
  gateway = await scene.gateway(stateDir, { args: ['--grpc-port', '0', '--token', TOKEN] });
  socket = await scene.socket(gateway);
  grpc = openGrpc(gateway);
  scene.onEnd(() => grpc.close());
});

const list = (request: Partial<ListSessionsRequest> = {}): Promise<ListSessionsResponse> => grpc.call('listSessions', ListSessionsRequest.create(request));
const keysOf = (rows: readonly Uint8Array[]): string[] => rows.map((row) => SessionRow.decode(row).key);

it('a list without a limit has the hundred newest rows and says how many there are', async () => {
  const bySocket = await socket.call('sessions.list', { agentId: 'main' });
  const counters = { totalCount: ROWS, limitApplied: 100, hasMore: true };
  expect(bySocket).toMatchObject({ ...counters, count: 100, nextOffset: 100 });
  const byGrpc = await list({ agentId: 'main' });
  expect(byGrpc).toMatchObject({ ...counters, nextOffset: 100 });
  const keys = (bySocket['sessions'] as { key: string }[]).map(({ key }) => key);
  expect(keys).toEqual(Array.from({ length: 100 }, (_, place) => `agent:main:s${String(ROWS - 1 - place)}`));
  expect(keysOf(byGrpc.encodedRows)).toEqual(keys);
  const { stdout } = await runCommand(stateDir, ['sessions', '--json']);
  const byCommand = JSON.parse(stdout) as { sessions: { key: string }[] };
  expect(byCommand).toMatchObject(counters);
  expect(byCommand.sessions.map(({ key }) => key)).toEqual(keys);
});

it('rows of agents that stand on disk only are left out when configured ones are asked for, and no others', async () => {
  const total = async (params: object): Promise<unknown> => (await socket.call('sessions.list', params))['totalCount'];
  expect([await total({}), await total({ configuredAgentsOnly: true })]).toEqual([ROWS + 1, ROWS]);
  const both = await Promise.all([list({ allAgents: true, discover: true }), list({ allAgents: true, discover: true, configuredAgentsOnly: true })]);
  expect(both.map(({ totalCount }) => totalCount)).toEqual([ROWS + 1, ROWS]);
});

it('a compaction that is called by its name answers as the command does', async () => {
  const target = ['--url', gateway.url.replace('http', 'ws'), '--token', TOKEN, '--json'];
  const called = await runCommand(stateDir, ['gateway', 'call', 'sessions.compact', ...target, '--params', '{"key":"agent:main:s0","maxLines":50}']);
  const command = await runCommand(stateDir, ['sessions', 'compact', 'agent:main:s0', '--max-lines', '50', ...target]);
  expect([called.exitCode, command.exitCode]).toEqual([0, 0]);
  expect(JSON.parse(called.stdout)).toEqual(JSON.parse(command.stdout));
  expect(JSON.parse(command.stdout)).toMatchObject({ ok: true, key: 'agent:main:s0', compacted: false, kept: LINES, reason: 'below limit' });
});

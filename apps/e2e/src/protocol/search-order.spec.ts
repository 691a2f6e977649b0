/** A search over all agents is one list, the newest first, whoever answers it and however it is paged: the files, the WebSocket, gRPC. */
import { SearchSessionsRequest } from '@sessions/contracts';
import type { SearchSessionsResponse } from '@sessions/contracts';
import { runCommand } from '../support/command';
import { freePort } from '../support/free-port';
import { openGrpc } from '../support/grpc-client';
import { TOKEN, configWith, sessionsDir, useScene, writeFile } from '../support/scene';

const scene = useScene();
const AGENTS = ['main', 'work', 'home'] as const;
const SESSIONS = 12;
const T0 = 1_780_300_000_000;

interface Hit {
  readonly agentId: string;
  readonly key: string;
  readonly at: number;
}

/** Sessions of three agents by turns, each with two messages; every third moment is that of another session too. */
function fill(stateDir: string): void {
  for (const [place, agentId] of AGENTS.entries()) {
    const entries: Record<string, object> = {};
    for (let n = place; n < SESSIONS; n += AGENTS.length) {
      const sessionId = `0190eeee-0000-7000-8000-${String(n).padStart(12, '0')}`;
      const at = T0 + (n - (n % 3 === 2 ? 1 : 0)) * 60_000;
      const line = (id: string, role: string, text: string, atMs: number): string =>
        JSON.stringify({ type: 'message', id, parentId: id === '00000001' ? null : '00000001', timestamp: new Date(atMs).toISOString(), message: { role, content: [{ type: 'text', text }], timestamp: atMs } });
      const header = JSON.stringify({ type: 'session', version: 3, id: sessionId, timestamp: new Date(T0).toISOString(), cwd: '/' });
      writeFile(`${sessionsDir(stateDir, agentId)}/${sessionId}.jsonl`, `${[header, line('00000001', 'user', `a needle ${String(n)}`, at - 90_000), line('00000002', 'assistant', `the needle ${String(n)}`, at)].join('\n')}\n`);
      entries[`agent:${agentId}:needle-${String(n)}`] = { sessionId, updatedAt: at, channel: 'telegram' };
    }
    writeFile(`${sessionsDir(stateDir, agentId)}/sessions.json`, JSON.stringify(entries));
  }
}

it.each(['meta', 'text'] as const)('search in %s', async (place) => {
  const port = await freePort();
  const stateDir = scene.stateDir(configWith({ gateway: { port, auth: { mode: 'token', token: TOKEN } }, agents: { list: AGENTS.map((id) => ({ id })) } }));
  fill(stateDir);
  const command = async (...more: string[]): Promise<Hit[]> => {
    const { stdout, stderr, exitCode } = await runCommand(stateDir, ['sessions', 'search', 'needle', '--all-agents', '--in', place, '--json', ...more]);
    expect([exitCode, stderr]).toEqual([0, '']);
    return (JSON.parse(stdout) as { hits: Hit[] }).hits;
  };
  const offline = await command('--limit', '100');
  expect(offline).toHaveLength(place === 'meta' ? SESSIONS : 2 * SESSIONS);
  // Newest first; agents that spoke at one moment in the order of the configuration.
  const order = ({ at, agentId }: Hit): number => -at * 10 + AGENTS.indexOf(agentId as (typeof AGENTS)[number]);
  expect(offline.map(order)).toEqual(offline.map(order).toSorted((a, b) => a - b));
  expect(new Set(offline.slice(0, 3).map(({ agentId }) => agentId)).size).toBe(3);

  const gateway = await scene.gateway(stateDir, { args: ['--port', String(port), '--grpc-port', '0'] });
  expect(await command('--limit', '100')).toEqual(offline);
  expect(await command('--limit', '5', '--channel', 'Telegram')).toEqual(offline.slice(0, 5));

  const socket = await scene.socket(gateway);
  const grpc = openGrpc(gateway);
  scene.onEnd(() => grpc.close());
  const paged = async (limit: number, page: (cursor: string | undefined) => Promise<{ hits: Hit[]; next: string | undefined }>): Promise<Hit[]> => {
    const found: Hit[] = [];
    for (let cursor: string | undefined, pages = 0; pages < 100; pages += 1) {
      const { hits, next } = await page(cursor);
      expect(hits.length).toBeLessThanOrEqual(limit);
      found.push(...hits);
      if (next === undefined) return found;
      cursor = next;
    }
    throw new Error('the pages have no end');
  };
  for (const limit of [1, 4, 100]) {
    const bySocket = await paged(limit, async (cursor) => {
      const { hits, nextCursor } = await socket.call('sessions.search', { query: 'needle', in: place, limit, ...(cursor !== undefined && { cursor }) });
      return { hits: hits as Hit[], next: nextCursor as string | undefined };
    });
    expect(bySocket).toEqual(offline);
    const byGrpc = await paged(limit, async (cursor) => {
      const { hits, nextCursor } = await grpc.call<SearchSessionsResponse>('searchSessions', SearchSessionsRequest.create({ query: 'needle', in: place, limit, cursor }));
      expect(hits.map((hit) => hit.cursor)).toEqual(hits.map(() => undefined));
      return { hits: hits.map(({ agentId, key, atMs = 0 }) => ({ agentId, key, at: atMs })), next: nextCursor };
    });
    expect(byGrpc).toEqual(offline.map(({ agentId, key, at }) => ({ agentId, key, at })));
  }
});

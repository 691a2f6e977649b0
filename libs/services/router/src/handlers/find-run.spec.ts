/** Runs by their ids, against stores in memory: which is meant, and how many stores are asked for it. */
import { AbortRunRequest, RouterServiceService, WaitRunRequest } from '@sessions/contracts';
import { createClient, createSubjects } from '@sessions/bus';
import { memoryRun } from '../testing/memory-operations';
import { startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';
import { callAsAgent } from '../testing/tool-doors';
import { OTHER_STORES_MAX } from './find-run';
import { isRunIdOf, runIdOf } from './minted-id';

const AGENTS = Array.from({ length: 60 }, (_, at) => `a${String(at)}`);
const keyOf = (agentId: string): string => `agent:${agentId}:main`;

let running: RunningRouter;
beforeEach(async () => {
  running = await startRouter({ agents: { list: AGENTS.map((id) => ({ id })) } });
  running.stores.runs.takes = true;
  for (const agentId of AGENTS) running.stores.put(agentId, keyOf(agentId), { sessionId: `0190aaaa-0000-7000-8000-0000000000${agentId.slice(1).padStart(2, '0')}`, updatedAt: 1 });
});
afterEach(() => running.stop());

const put = (agentId: string, runId: string, text: string): void => void running.stores.aside(agentId).runs.set(runId, memoryRun({ runId, sessionKey: keyOf(agentId), state: 'ended', outcome: 'ok', text, endedAtMs: 5 }));
const router = (caller = 'client:test', scopes: readonly string[] = ['operator.admin']) => createClient(running.bus, RouterServiceService, { caller, scopes, subject: (method) => createSubjects().router(method) });
const wait = (request: Partial<WaitRunRequest>, ...as: Parameters<typeof router>) => router(...as).waitRun(WaitRunRequest.create({ timeoutMs: 0, ...request }));
/** Stores that were asked for a run while `work` was done. */
async function asked(work: () => Promise<unknown>): Promise<number> {
  const before = running.stores.calls.length;
  await work();
  return running.stores.calls.slice(before).filter((call) => call.startsWith('getRun ')).length;
}

it('asks the agent that is named, and no other', async () => {
  put('a3', 'r', 'three');
  put('a50', 'r', 'fifty');
  expect(await asked(async () => expect(await wait({ runId: 'r', agentId: 'a50' })).toMatchObject({ state: 'ended', text: 'fifty' }))).toBe(1);
  expect(await asked(async () => expect(await wait({ runId: 'r', agentId: 'a4' })).toMatchObject({ state: 'unknown' }))).toBe(1);
  expect(await wait({ runId: 'r', sessionKey: keyOf('a50') })).toMatchObject({ text: 'fifty' });
  expect(await wait({ runId: 'r', sessionKey: 'agent:a50:other' })).toMatchObject({ state: 'unknown' });
});

it('asks one store for a run of which the router heard, however many agents there are', async () => {
  const client = await running.client();
  const key = keyOf('a57');
  expect((await client.request('chat.send', { sessionKey: key, message: 'hi', idempotencyKey: 'k-1' })).payload).toMatchObject({ status: 'started' });
  running.stores.runs.end('a57', 'k-1', { text: 'done' });
  expect(await asked(async () => expect(await wait({ runId: 'k-1' })).toMatchObject({ state: 'ended', text: 'done' }))).toBe(1);
});

it('asks one store for an id that says whose it is', async () => {
  const runId = runIdOf('some request', 'a58');
  put('a58', runId, 'minted');
  expect(await asked(async () => expect(await wait({ runId })).toMatchObject({ text: 'minted' }))).toBe(1);
  expect(AGENTS.filter((agentId) => isRunIdOf(runId, agentId))).toEqual(['a58']);
  expect(isRunIdOf('k-1', 'a58')).toBe(false);
});

it('asks a bounded number of stores for an id that says nothing', async () => {
  put('a2', 'plain', 'near');
  expect(await wait({ runId: 'plain' })).toMatchObject({ text: 'near' });
  expect(await asked(async () => expect(await wait({ runId: 'nobody knows' })).toMatchObject({ state: 'unknown' }))).toBe(OTHER_STORES_MAX);
});

it('means the run of the caller’s own agent where several know the id, and none that the caller may not see', async () => {
  for (const agentId of ['a1', 'a40']) put(agentId, 'same', agentId);
  expect(await wait({ runId: 'same' })).toMatchObject({ text: 'a1' });
  // Another session of the same agent: hidden from a session that sees what it has spawned.
  expect(await wait({ runId: 'same' }, `agent:${keyOf('a40')}`, [])).toMatchObject({ text: 'a40' });
  expect(await wait({ runId: 'same' }, 'agent:agent:a7:main', [])).toMatchObject({ state: 'unknown' });
  expect(await callAsAgent(running, 'sessions_send', { runId: 'same', timeoutSeconds: 0 }, keyOf('a7'))).toEqual({ status: 'error', error: 'No run found: same' });
  expect(await wait({ runId: 'same' }, 'client:test', ['operator.write', 'agent:a40'])).toMatchObject({ text: 'a40' });
});

it('aborts the run of the agent whose session is named beside the id', async () => {
  for (const agentId of ['a1', 'a40']) running.stores.aside(agentId).runs.set('same', memoryRun({ runId: 'same', sessionKey: keyOf(agentId) }));
  expect(await router().abortRun(AbortRunRequest.create({ key: keyOf('a40'), runId: 'same' }))).toMatchObject({ status: 'aborted', abortedRunId: 'same' });
  expect(running.stores.aside('a40').runs.get('same')?.state).toBe('ended');
  expect(running.stores.aside('a1').runs.get('same')?.state).toBe('running');
});

it('says why no store could be asked', async () => {
  put('a5', 'r', 'five');
  running.stores.unserved.add('getRun');
  await expect(wait({ runId: 'other' })).rejects.toMatchObject({ reason: expect.any(String) as string });
});

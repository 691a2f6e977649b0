/** The guard of both kinds of compaction: a run that is active ends first, and only where something will be done. */
import { readFileSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import { AgentRuntimeService, AppendRecordsRequest, BeginTurnRequest, CancelTurnResponse, DeliverRequest, FinishTurnRequest, GetRunRequest, ListPendingRequest, RequestCompactionRequest, RunRequest, TruncateTranscriptRequest } from '@sessions/contracts';
import { serveService } from '@sessions/bus';
import { KEY, bench, cleanUpBenches, sessionsDir, subjects, telegram, until, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const RUN = 'r1';
const PARTIAL = 'half an answer';

/** A session with so many messages, whose newest one is being answered. */
async function answering(messages: number): Promise<{ made: Bench; sessionId: string; cancelled: string[]; finish: () => Promise<unknown> }> {
  const made = await bench({ config: { agents: { defaults: { model: 'demo/echo' } } } });
  const { sessionId = '' } = await made.client.deliver(telegram('first'));
  const more = Array.from({ length: messages - 2 }, (_, index) => Buffer.from(JSON.stringify({ type: 'message', message: { role: 'user', content: [{ type: 'text', text: `n${String(index)}` }] } })));
  if (more.length > 0) await made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId, lines: more }));
  await made.client.deliver(DeliverRequest.create({ ...telegram('answer me', { messageId: 'm-r1' }), run: RunRequest.create({ runId: RUN, source: 'channel' }) }));
  await made.client.beginTurn(BeginTurnRequest.create({ agentId: 'main', runId: RUN, runnerId: 'runner/a', attempt: 1 }));
  const cancelled: string[] = [];
  const service = { cancelTurn: ({ reason }: { readonly reason: string }) => Promise.resolve((cancelled.push(reason), CancelTurnResponse.create({ state: 'stopping' }))) };
  await serveService(made.bus, AgentRuntimeService, service, { subjectFor: (method) => (method === 'CancelTurn' ? subjects.run(RUN, method) : undefined) });
  const finish = async (): Promise<unknown> => {
    const partial = { type: 'message', message: { role: 'assistant', content: [{ type: 'text', text: PARTIAL }], stopReason: 'aborted' } };
    await made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId, runId: RUN, attempt: 1, lines: [Buffer.from(JSON.stringify(partial))] }));
    return made.client.finishTurn(FinishTurnRequest.create({ agentId: 'main', runId: RUN, attempt: 1, outcome: 'aborted' }));
  };
  return { made, sessionId, cancelled, finish };
}
const archives = (made: Bench): string[] => readdirSync(sessionsDir(made.stateDir)).filter((name) => name.includes('.bak.'));
const truncate = (made: Bench, maxLines: number, waitMs?: number) => made.client.truncateTranscript(TruncateTranscriptRequest.create({ agentId: 'main', key: KEY, maxLines, waitMs }));
const summarise = (made: Bench) => made.client.requestCompaction(RequestCompactionRequest.create({ agentId: 'main', key: KEY, reason: 'manual' }));
const asked = async (made: Bench) => (await made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['compaction'] }))).compactions;
const stateOf = async (made: Bench): Promise<string | undefined> => (await made.client.getRun(GetRunRequest.create({ agentId: 'main', runId: RUN }))).run?.state;

it('a cut aborts the run, waits for its end, and archives what it said too', async () => {
  const { made, sessionId, cancelled, finish } = await answering(40);
  const cutting = truncate(made, 10);
  await until(() => cancelled.length === 1);
  expect([cancelled, archives(made)]).toEqual([['compact'], []]);
  await finish();
  expect(await cutting).toMatchObject({ result: { ok: true, compacted: true, keptLines: 10 } });
  const [archive = ''] = archives(made);
  expect(readFileSync(path.join(sessionsDir(made.stateDir), archive), 'utf8')).toContain(PARTIAL);
  expect(readFileSync(path.join(sessionsDir(made.stateDir), `${sessionId}.jsonl`), 'utf8')).toContain(PARTIAL);
});

it('a cut changes nothing when the run does not end in time', async () => {
  const { made, sessionId } = await answering(40);
  const file = path.join(sessionsDir(made.stateDir), `${sessionId}.jsonl`);
  await expect(truncate(made, 10, 50)).rejects.toMatchObject({ reason: 'RUN_STILL_ACTIVE' });
  expect(archives(made)).toEqual([]);
  expect(readFileSync(file, 'utf8')).toContain('n0');
});

it('a summary aborts the run and begins with what it said', async () => {
  const { made, cancelled, finish } = await answering(10);
  const requested = summarise(made);
  await until(() => cancelled.length === 1);
  expect(await asked(made)).toEqual([]);
  await finish();
  const { operationId, snapshotTipId } = await requested;
  expect(await asked(made)).toMatchObject([{ operationId, snapshotTipId }]);
  expect(await stateOf(made)).toBe('ended');
});

it('where nothing would be done the run goes on', async () => {
  const { made, cancelled } = await answering(3);
  expect(await truncate(made, 75)).toMatchObject({ result: { ok: true, compacted: false, reason: 'below limit' } });
  await expect(truncate(made, 0)).rejects.toMatchObject({ reason: 'VALIDATION' });
  expect([cancelled, await stateOf(made), archives(made)]).toEqual([[], 'running', []]);
});

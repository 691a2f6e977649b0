/** Compactions at their owner: recorded before anybody hears of them, ended once, nothing ever lost by them. */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { AppendRecordsRequest, CompactionJob, FailCompactionRequest, ForkSessionRequest, InstallCompactionRequest, ListPendingRequest, RequestCompactionRequest, StoreServiceResetSessionRequest, StoreServiceRestoreSessionRequest, TruncateTranscriptRequest } from '@sessions/contracts';
import { activeBranch, contextLines, messageText, parseTranscriptLine } from '@sessions/domain';
import { KEY, bench, cleanUpBenches, history, restart, sessionsDir, subjects, telegram, transcriptLines, until, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const ask = (made: Bench, reason = 'manual') => made.client.requestCompaction(RequestCompactionRequest.create({ agentId: 'main', key: KEY, reason }));
const pending = async (made: Bench) => (await made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['compaction'] }))).compactions;
const install = (made: Bench, asked: { operationId?: string | undefined; snapshotTipId?: string | undefined }, more: Partial<InstallCompactionRequest> = {}) =>
  made.client.installCompaction(InstallCompactionRequest.create({ agentId: 'main', operationId: asked.operationId, snapshotTipId: asked.snapshotTipId, summary: 'what was said', tokensBefore: 900, tokensAfter: 90, ...more }));
const fail = (made: Bench, operationId = '', reason = 'summarizer failed') => made.client.failCompaction(FailCompactionRequest.create({ agentId: 'main', operationId, reason }));
const entryOf = (made: Bench): Record<string, unknown> => (JSON.parse(readFileSync(path.join(sessionsDir(made.stateDir), 'sessions.json'), 'utf8')) as Record<string, Record<string, unknown>>)[KEY] ?? {};
const contextOf = (made: Bench, sessionId: string) => {
  const file = readFileSync(path.join(sessionsDir(made.stateDir), `${sessionId}.jsonl`), 'utf8').trimEnd().split('\n');
  return contextLines(activeBranch(file.map((line, index) => parseTranscriptLine(line, index + 1))).path);
};
async function talked(made: Bench, count: number): Promise<string> {
  let sessionId = '';
  for (let index = 0; index < count; index += 1) sessionId = (await made.client.deliver(telegram(`m${index}`))).sessionId ?? '';
  return sessionId;
}
const checkpointed = (made: Bench) => restart(made);

it('appends the summary, keeps what came meanwhile behind it, and changes no earlier byte', async () => {
  const made = await bench();
  const sessionId = await talked(made, 3);
  const asked = await ask(made);
  expect(asked).toMatchObject({ joined: false, sessionId });
  await talked(made, 2);
  await history(made);
  const file = path.join(sessionsDir(made.stateDir), `${sessionId}.jsonl`);
  const before = readFileSync(file, 'utf8');
  const { result } = await install(made, asked);
  expect(result).toMatchObject({ ok: true, compacted: true, summary: 'what was said', tokensBefore: 900, tokensAfter: 90 });
  await history(made);
  const lines = transcriptLines(made.stateDir, sessionId);
  expect(readFileSync(file, 'utf8').startsWith(before)).toBe(true);
  expect(lines.at(-1)).toMatchObject({ type: 'compaction', parentId: lines.at(-2)?.['id'], firstKeptEntryId: lines[4]?.['id'], fromHook: false });
  expect(contextOf(made, sessionId).lines.map(({ message }) => message === undefined ? '' : messageText(message))).toEqual(['m0', 'm1']);
  await made.client.deliver(telegram('after'));
  const later = await checkpointed(made);
  expect(contextOf(later, sessionId).lines).toHaveLength(3);
  expect(entryOf(later)).toMatchObject({ compactionCount: 1, totalTokens: 90, compactionCheckpoints: [{ sessionId, reason: 'manual', summary: 'what was said', tokensBefore: 900, preCompaction: { leafId: lines.at(-2)?.['id'] } }] });
  expect(entryOf(later)).not.toHaveProperty('pendingCompaction');
  const operations = made.events.flatMap(({ body }) => (body?.$case === 'operation' ? [body.value] : []));
  expect(operations).toMatchObject([{ operation: 'compact', phase: 'start' }, { phase: 'end', completed: true }]);
});

it('is on the queue, survives its owner, is joined by a second request and ends once', async () => {
  const made = await bench();
  await talked(made, 2);
  const jobs: CompactionJob[] = [];
  const asked = await ask(made);
  expect(await ask(made, 'auto-threshold')).toMatchObject({ joined: true, operationId: asked.operationId });
  expect(await pending(made)).toMatchObject([{ operationId: asked.operationId, snapshotTipId: asked.snapshotTipId, reason: 'manual' }]);
  const next = await restart(made);
  await next.bus.jobs.consume(subjects.jobs('compaction'), CompactionJob, async (job) => {
    jobs.push(job.value);
    await job.ack();
  });
  expect(await pending(next)).toMatchObject([{ operationId: asked.operationId, sessionKey: KEY }]);
  await until(() => jobs.length === 1);
  expect(jobs[0]).toMatchObject({ agentId: 'main', operationId: asked.operationId, sessionKey: KEY });
  expect(await fail(next, asked.operationId)).toMatchObject({ result: { ok: false, compacted: false, reason: 'summarizer failed' } });
  expect(await install(next, asked)).toMatchObject({ result: { ok: false, reason: 'summarizer failed' } });
  expect(await pending(next)).toEqual([]);
  await next.client.deliver(telegram('goes on'));
  expect((await history(next)).texts.at(-1)).toBe('goes on');
});

it('is dropped when its session was begun anew or its snapshot left the branch', async () => {
  const made = await bench();
  const sessionId = await talked(made, 3);
  const asked = await ask(made);
  await until(() => transcriptLines(made.stateDir, sessionId).length > 1);
  const [, first] = transcriptLines(made.stateDir, sessionId);
  await made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId, lines: [Buffer.from(JSON.stringify({ type: 'leaf', targetId: first?.['id'] }))] }));
  await expect(install(made, asked)).rejects.toMatchObject({ reason: 'STALE_PLAN' });
  await expect(install(made, asked, { cutId: 'nobody' })).rejects.toMatchObject({ reason: 'STALE_PLAN' });
  await made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'reset' }));
  await expect(install(made, asked)).rejects.toMatchObject({ reason: 'STALE_PLAN' });
  await expect(fail(made, asked.operationId)).rejects.toMatchObject({ reason: 'STALE_PLAN' });
  await talked(made, 1);
  expect(await ask(made)).toMatchObject({ joined: false });
});

it('is dropped when its snapshot was cut off', async () => {
  const made = await bench();
  await talked(made, 6);
  const asked = await ask(made);
  await talked(made, 6);
  await made.client.truncateTranscript(TruncateTranscriptRequest.create({ agentId: 'main', key: KEY, maxLines: 3 }));
  await expect(install(made, asked)).rejects.toMatchObject({ reason: 'STALE_PLAN' });
  expect(await fail(made, asked.operationId, 'stale')).toMatchObject({ result: { ok: false, reason: 'stale' } });
});

it('says so when there is nothing to do, and does nothing', async () => {
  const made = await bench();
  await expect(ask(made)).rejects.toMatchObject({ reason: 'SESSION_NOT_FOUND', message: `No session found: ${KEY}` });
  await talked(made, 2);
  const asked = await ask(made);
  await install(made, asked);
  expect(await ask(made)).toMatchObject({ result: { ok: true, compacted: false, reason: 'nothing to summarise' } });
  await talked(made, 1);
  const again = await ask(made);
  expect(again.operationId).toBeDefined();
  expect(await fail(made, again.operationId, 'little new content')).toMatchObject({ result: { ok: true, compacted: false } });
  await expect(ask(made, 'whim')).rejects.toMatchObject({ reason: 'VALIDATION' });
});

it('installs among messages that keep coming, each of them once and behind the cut', async () => {
  const made = await bench();
  const sessionId = await talked(made, 3);
  const asked = await ask(made);
  const sends = Array.from({ length: 60 }, async (_, index) => {
    await new Promise((resolve) => setTimeout(resolve, index * 3));
    await made.client.deliver(telegram(`n${index}.`));
  });
  await new Promise((resolve) => setTimeout(resolve, 90));
  expect(await install(made, asked)).toMatchObject({ result: { compacted: true } });
  await Promise.all(sends);
  const next = await restart(made);
  const { compaction, lines } = contextOf(next, sessionId);
  expect(compaction?.value['summary']).toBe('what was said');
  const texts = lines.map(({ message }) => message === undefined ? '' : messageText(message));
  expect([...texts].sort()).toEqual(Array.from({ length: 60 }, (_, index) => `n${index}.`).sort());
});

it('is asked for from a chat, once, by those who may; the chat goes on', async () => {
  const made = await bench();
  const say = async (text: string, more: Parameters<typeof telegram>[1] = {}) => (await made.client.deliver(telegram(text, more))).reply;
  expect(await say('/compact')).toMatch(/^No compaction needed/u);
  await talked(made, 3);
  expect(await say('/compact keep the names', { authority: 'other' })).toBeUndefined();
  expect(await pending(made)).toEqual([]);
  expect(await say('/compact keep the names')).toMatch(/^Compaction started/u);
  expect(await pending(made)).toMatchObject([{ sessionKey: KEY, reason: 'manual', instructions: 'keep the names' }]);
  expect(await say('/compact')).toBe('A compaction is under way already.');
  expect(await pending(made)).toHaveLength(1);
  expect((await history(made)).texts).toEqual(['m0', 'm1', 'm2']);
  const operations = made.events.flatMap(({ body }) => (body?.$case === 'operation' ? [body.value] : []));
  expect(operations).toMatchObject([{ operation: 'compact', phase: 'start' }]);
});

describe('the checkpoint of a compaction', () => {
  const checkpointOf = async (made: Bench): Promise<{ sessionId: string; checkpointId: string }> => {
    const sessionId = await talked(made, 4);
    const asked = await ask(made);
    await install(made, asked);
    await talked(made, 1);
    await history(made);
    return { sessionId, checkpointId: String(transcriptLines(made.stateDir, sessionId).find(({ type }) => type === 'compaction')?.['id']) };
  };
  const texts = (lines: readonly Record<string, unknown>[]): string[] => lines.flatMap(({ message }) => (message === undefined ? [] : [messageText(message as never)]));

  it('is branched from, as often as wanted, and the session stays as it is', async () => {
    const made = await bench();
    const { sessionId, checkpointId } = await checkpointOf(made);
    const branch = () => made.client.forkSession(ForkSessionRequest.create({ agentId: 'main', sourceKey: KEY, checkpointId }));
    const [first, second] = [await branch(), await branch()];
    expect(first).toMatchObject({ forked: true, key: expect.stringMatching(/^agent:main:dashboard:/u) as string });
    expect(second.key).not.toBe(first.key);
    expect(JSON.parse(first.entryJson.toString('utf8'))).toMatchObject({ label: 'Checkpoint branch', parentSessionKey: KEY });
    const copied = transcriptLines(made.stateDir, first.sessionId);
    expect(copied[0]).toMatchObject({ type: 'session', id: first.sessionId, parentSession: sessionId });
    expect(texts(copied)).toEqual(['m0', 'm1', 'm2', 'm3']);
    expect(copied.some(({ type }) => type === 'compaction')).toBe(false);
    expect((await history(made)).texts).toEqual(['m0', 'm1', 'm2', 'm3', 'm0']);
  });

  it('is gone back to: a new session id with the branch as it was, the transcript so far an archive that comes back', async () => {
    const made = await bench();
    const { sessionId, checkpointId } = await checkpointOf(made);
    const before = readFileSync(path.join(sessionsDir(made.stateDir), `${sessionId}.jsonl`), 'utf8');
    const back = await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY, checkpointId }));
    expect(back).toMatchObject({ key: KEY, previousSessionId: sessionId });
    expect(back.sessionId).not.toBe(sessionId);
    expect(JSON.parse(back.checkpointJson?.toString('utf8') ?? '')).toMatchObject({ checkpointId });
    expect((await history(made)).texts).toEqual(['m0', 'm1', 'm2', 'm3']);
    expect(readFileSync(back.archived[0] ?? '', 'utf8')).toBe(before);
    expect(made.events.some(({ body }) => body?.$case === 'changed' && body.value.reason === 'checkpoint-restore')).toBe(true);
    await talked(made, 1);
    await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY }));
    expect((await history(made)).texts).toEqual(['m0', 'm1', 'm2', 'm3', 'm0']);
  });

  it('is not found when nobody made it or its records were cut off', async () => {
    const made = await bench();
    const { checkpointId } = await checkpointOf(made);
    const branch = (id: string) => made.client.forkSession(ForkSessionRequest.create({ agentId: 'main', sourceKey: KEY, checkpointId: id }));
    await expect(branch('nobody')).rejects.toMatchObject({ reason: 'CHECKPOINT_NOT_FOUND', message: 'checkpoint not found: nobody' });
    await made.client.truncateTranscript(TruncateTranscriptRequest.create({ agentId: 'main', key: KEY, maxLines: 2 }));
    await expect(branch(checkpointId)).rejects.toMatchObject({ reason: 'CHECKPOINT_NOT_FOUND' });
    await expect(made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY, checkpointId }))).rejects.toMatchObject({ reason: 'CHECKPOINT_NOT_FOUND' });
  });
});

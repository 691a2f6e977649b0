/** A compaction whose transcript goes on in another one: one record for the entry and the file, nothing lost, nobody left behind. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import * as path from 'node:path';
import { AppendRecordsRequest, BeginTurnRequest, DeliverRequest, EraseRequest, FinishTurnRequest, ForkSessionRequest, GetEntryRequest, InstallCompactionRequest, ListPendingRequest, ReadFactsRequest, ReadHistoryRequest, RequestCompactionRequest, RunRequest, SearchRequest, StoreServiceDeleteSessionRequest, StoreServiceResetSessionRequest, StoreServiceRestoreSessionRequest } from '@sessions/contracts';
import { activeBranch, contextLines, messageText, parseTranscriptLine, type JsonObject } from '@sessions/domain';
import { verifyStore } from '@sessions/store';
import { KEY, bench, cleanUpBenches, history, restart, sessionsDir, telegram, textOf, until, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const CONFIG = { agents: { defaults: { model: 'demo/echo', compaction: { truncateAfterCompaction: true } } }, session: { reset: { mode: 'none' } } };
const rotating = (options: Parameters<typeof bench>[0] = {}) => bench({ config: CONFIG, ...options });
const ask = (made: Bench, reason = 'manual') => made.client.requestCompaction(RequestCompactionRequest.create({ agentId: 'main', key: KEY, reason }));
const install = (made: Bench, asked: { operationId?: string | undefined; snapshotTipId?: string | undefined }, more: Partial<InstallCompactionRequest> = {}) =>
  made.client.installCompaction(InstallCompactionRequest.create({ agentId: 'main', operationId: asked.operationId, snapshotTipId: asked.snapshotTipId, summary: 'what was said', tokensBefore: 900, tokensAfter: 90, ...more }));
const entryOf = async (made: Bench, key = KEY): Promise<JsonObject & { sessionId: string; sessionFile: string }> =>
  JSON.parse((await made.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: key } }))).entryJson.toString('utf8')) as never;
const textAt = (made: Bench, file: string): string => readFileSync(path.join(sessionsDir(made.stateDir), file), 'utf8');
const linesAt = (made: Bench, file: string): JsonObject[] => textAt(made, file).trimEnd().split('\n').map((line) => JSON.parse(line) as JsonObject);
const contextAt = (made: Bench, file: string): { summary: unknown; texts: string[] } => {
  const { compaction, lines } = contextLines(activeBranch(textAt(made, file).trimEnd().split('\n').map((line, at) => parseTranscriptLine(line, at + 1))).path);
  return { summary: compaction?.value['summary'], texts: lines.flatMap(({ message }) => (message === undefined ? [] : [messageText(message)])) };
};
async function talked(made: Bench, from: number, to: number): Promise<string> {
  let sessionId = '';
  for (let at = from; at < to; at += 1) sessionId = (await made.client.deliver(telegram(`m${String(at)}`))).sessionId ?? '';
  return sessionId;
}
async function rotated(made: Bench, more: Partial<InstallCompactionRequest> = {}): Promise<{ before: string; entry: Awaited<ReturnType<typeof entryOf>> }> {
  const before = await talked(made, 0, 4);
  await install(made, await ask(made), more);
  return { before, entry: await entryOf(made) };
}

it('goes on in a new transcript with what came meanwhile; the one before stays as it was, and nothing else changes', async () => {
  const made = await rotating();
  const before = await talked(made, 0, 3);
  const asked = await ask(made);
  await talked(made, 3, 5);
  await history(made);
  const old = textAt(made, `${before}.jsonl`);
  const { result } = await install(made, asked);
  expect(result).toMatchObject({ ok: true, compacted: true, summary: 'what was said', tokensBefore: 900, tokensAfter: 90 });
  expect((await history(made)).texts).toEqual(['m3', 'm4']);
  const entry = await entryOf(made);
  expect(entry.sessionId).not.toBe(before);
  expect(entry.sessionFile).toMatch(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z_[0-9a-f-]{36}\.jsonl$/u);
  expect(entry.sessionFile.endsWith(`_${entry.sessionId}.jsonl`)).toBe(true);
  expect(entry).toMatchObject({ compactionCount: 1, totalTokens: 90, usageFamilySessionIds: [before, entry.sessionId], compactionCheckpoints: [{ sessionId: entry.sessionId, reason: 'manual', preCompaction: { sessionId: before, sessionFile: `${before}.jsonl` }, postCompaction: { sessionId: entry.sessionId, sessionFile: entry.sessionFile } }] });
  expect(entry).not.toHaveProperty('previousSessionId');
  const lines = linesAt(made, entry.sessionFile);
  expect(lines[0]).toMatchObject({ type: 'session', version: 3, id: entry.sessionId, parentSession: before, sessionKey: KEY });
  expect(lines.at(-1)).toMatchObject({ type: 'compaction', parentId: lines.at(-2)?.['id'], firstKeptEntryId: lines[1]?.['id'] });
  expect(contextAt(made, entry.sessionFile)).toEqual({ summary: 'what was said', texts: ['m3', 'm4'] });
  expect(textAt(made, `${before}.jsonl`)).toBe(old);
  await talked(made, 5, 6);
  const next = await restart(made, { config: CONFIG });
  expect((await history(next)).texts).toEqual(['m3', 'm4', 'm5']);
  expect(textAt(next, `${before}.jsonl`)).toBe(old);
  const told = made.events.flatMap(({ body }) => (body?.$case === 'changed' && body.value.previousSessionId !== undefined ? [body.value] : []));
  expect(told).toMatchObject([{ reason: 'compact', previousSessionId: before, messageSeq: 2 }]);
});

it('does so again and again; the tail of one is the beginning of the next', async () => {
  const made = await rotating();
  const ids: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    ids.push(await talked(made, round * 4, round * 4 + 4));
    const asked = await ask(made);
    const tip = await entryOf(made);
    await history(made);
    const cutId = linesAt(made, tip.sessionFile).filter(({ type }) => type === 'message').at(-2)?.['id'] as string;
    await install(made, asked, { cutId, summary: `summary ${String(round)}` });
  }
  const entry = await entryOf(made);
  expect(new Set([...ids, entry.sessionId]).size).toBe(4);
  expect(contextAt(made, entry.sessionFile)).toEqual({ summary: 'summary 2', texts: ['m10', 'm11'] });
  expect(linesAt(made, entry.sessionFile).filter(({ type }) => type === 'compaction')).toHaveLength(1);
  expect(entry['usageFamilySessionIds']).toEqual([...ids, entry.sessionId]);
});

it('is the first answer to all who end the operation, and is dropped for a session that was begun anew', async () => {
  const made = await rotating();
  await talked(made, 0, 2);
  const asked = await ask(made);
  const [first, second] = await Promise.all([install(made, asked), install(made, asked, { summary: 'another' })]);
  expect(second.result).toEqual(first.result);
  expect((await install(made, asked, { summary: 'late' })).result).toEqual(first.result);
  expect((await made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['compaction'] }))).compactions).toEqual([]);
  expect(await ask(made)).toMatchObject({ result: { compacted: false, reason: 'nothing to summarise' } });
  await talked(made, 2, 4);
  const again = await ask(made);
  await made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'reset' }));
  await expect(install(made, again)).rejects.toMatchObject({ reason: 'STALE_PLAN' });
  // What it had written aside is gone.
  expect(readdirSync(path.join(sessionsDir(made.stateDir), '.store')).filter((name) => name.startsWith('staged'))).toEqual([]);
});

it('takes over messages that keep coming, each once and in order, while it is installed', async () => {
  const made = await rotating();
  await talked(made, 0, 3);
  const asked = await ask(made);
  const sends: Promise<unknown>[] = [];
  for (let at = 0; at < 60; at += 1) {
    sends.push(made.client.deliver(telegram(`n${String(at)}.`)));
    if (at === 30) sends.push(install(made, asked));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(sends);
  const entry = await entryOf(made);
  expect((await history(made)).texts).toEqual(Array.from({ length: 60 }, (_, at) => `n${String(at)}.`));
  expect(contextAt(made, entry.sessionFile)).toEqual({ summary: 'what was said', texts: Array.from({ length: 60 }, (_, at) => `n${String(at)}.`) });
});

it('lets a turn that runs go on: what it appends for the transcript before is in the next one, behind its call', async () => {
  const made = await rotating();
  await talked(made, 0, 2);
  const runId = 'run-1';
  await made.client.deliver(DeliverRequest.create({ ...telegram('look it up'), run: RunRequest.create({ runId, source: 'channel', queueMode: 'queue' }) }));
  const begun = await made.client.beginTurn(BeginTurnRequest.create({ agentId: 'main', runId, runnerId: 'runner/a', attempt: 1 }));
  const append = (message: JsonObject, more: JsonObject = {}, own: Partial<AppendRecordsRequest> = {}) =>
    made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId: begun.sessionId, runId, attempt: 1, lines: [Buffer.from(JSON.stringify({ type: 'message', message, ...more }))], ...own }), { idempotencyKey: createHash('sha256').update(JSON.stringify(message)).digest('hex') });
  const call = { role: 'assistant', content: [{ type: 'toolCall', id: 'c1', name: 'read', arguments: {} }] };
  const { recordIds } = await append(call);
  const asked = await ask(made, 'overflow-retry');
  await install(made, asked, { cutId: recordIds[0] ?? '' });
  const entry = await entryOf(made);
  expect(entry.sessionId).not.toBe(begun.sessionId);
  expect(entry).toMatchObject({ openRuns: [{ sessionId: entry.sessionId }] });
  // Repeated for want of an answer: it was there before the change.
  expect((await append(call)).recordIds).toEqual(recordIds);
  const result = { role: 'toolResult', toolCallId: 'c1', toolName: 'read', isError: false, content: [{ type: 'text', text: 'found' }] };
  await append(result, {}, { parentId: 'summarised' });
  await append({ role: 'assistant', content: [{ type: 'text', text: 'here it is' }] }, { parentId: 'summarised' });
  await made.client.finishTurn(FinishTurnRequest.create({ agentId: 'main', runId, attempt: 1, outcome: 'ok', text: 'here it is' }));
  await history(made);
  const lines = linesAt(made, entry.sessionFile);
  expect(lines.map(({ type }) => type)).toEqual(['session', 'message', 'compaction', 'message', 'message']);
  for (const at of [2, 3, 4]) expect(lines[at]?.['parentId']).toBe(lines[at - 1]?.['id']);
  const told = made.events.flatMap(({ sessionId, body }) => (body?.$case === 'message' && body.value.runId === runId ? [sessionId] : []));
  expect(told.slice(-2)).toEqual([entry.sessionId, entry.sessionId]);
  await expect(append({ role: 'assistant', content: [] }, {}, { sessionId: 'somebody' })).rejects.toMatchObject({ reason: 'ENTRY_CHANGED' });
  // After a reset nothing leads from one to the other any more.
  await made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'reset' }));
  await expect(made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId: begun.sessionId, lines: [Buffer.from(JSON.stringify({ type: 'message', message: { role: 'user', content: 'late' } }))] }))).rejects.toMatchObject({ reason: 'ENTRY_CHANGED' });
});

describe('who follows the session', () => {
  async function follow(made: Bench, more: Partial<ReadHistoryRequest> = {}): Promise<{ said: string[]; stop(): void; ended: Promise<void> }> {
    const stopping = new AbortController();
    const said: string[] = [];
    const request = ReadHistoryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY }, follow: true, ...more });
    const ended = (async () => {
      for await (const { item } of made.client.readHistory(request, { signal: stopping.signal })) {
        if (item?.$case === 'records') said.push(...item.value.records.map(({ lineJson }) => textOf(lineJson)));
        else if (item?.$case === 'reset') said.push(`reset ${item.value.reason}`);
        else if (item?.$case === 'pageEnd') said.push('page');
      }
    })().catch(() => undefined);
    await until(() => said.includes('page'));
    return { said, stop: () => stopping.abort(), ended };
  }

  it('is told of the change and sees each message', async () => {
    const made = await rotating();
    await talked(made, 0, 2);
    const live = await follow(made);
    await talked(made, 2, 3);
    const asked = await ask(made);
    await talked(made, 3, 4);
    await install(made, asked);
    await talked(made, 4, 5);
    await until(() => live.said.includes('m4'));
    live.stop();
    await live.ended;
    const at = live.said.indexOf('reset compact');
    expect(live.said.slice(0, at)).toEqual(['m0', 'm1', 'page', 'm2', 'm3']);
    // The page of the transcript that goes on, and what came behind it.
    expect(live.said.slice(at + 1).filter((text) => text !== 'page')).toEqual(['m3', 'm4']);
  });

  it('gets what it had not heard of the transcript before, though it is summarised by now', async () => {
    const made = await rotating();
    const { before, entry } = await rotated(made);
    expect((await history(made)).texts).toEqual([]);
    const live = await follow(made, { after: { sessionId: before, messageSeq: 2 } });
    expect(live.said).toEqual(['m2', 'm3', 'reset compact', 'page']);
    live.stop();
    await live.ended;
    const now = await follow(made, { after: { sessionId: entry.sessionId, messageSeq: 0 } });
    expect(now.said).toEqual(['page']);
    now.stop();
    await now.ended;
  });

  it('gets what came and was summarised in transcripts between its own and the present one', async () => {
    const made = await rotating();
    const before = await talked(made, 0, 2);
    await install(made, await ask(made));
    await talked(made, 2, 4);
    await install(made, await ask(made));
    await talked(made, 4, 5);
    expect((await history(made)).texts).toEqual(['m4']);
    const live = await follow(made, { after: { sessionId: before, messageSeq: 1 } });
    await until(() => live.said.includes('m4'));
    expect(live.said).toEqual(['m1', 'reset compact', 'page', 'm2', 'm3', 'reset compact', 'm4', 'page']);
    live.stop();
    await live.ended;
  });
});

describe('the transcript before', () => {
  it('is what the checkpoint is restored from and branched from', async () => {
    const made = await rotating();
    const { entry } = await rotated(made);
    const checkpointId = String((entry['compactionCheckpoints'] as JsonObject[])[0]?.['checkpointId']);
    await talked(made, 4, 6);
    await history(made);
    const live = textAt(made, entry.sessionFile);
    const branch = await made.client.forkSession(ForkSessionRequest.create({ agentId: 'main', sourceKey: KEY, checkpointId }));
    expect((await history(made, { by: { $case: 'key', value: branch.key } })).texts).toEqual(['m0', 'm1', 'm2', 'm3']);
    const back = await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY, checkpointId }));
    expect((await history(made)).texts).toEqual(['m0', 'm1', 'm2', 'm3']);
    expect(readFileSync(back.archived[0] ?? '', 'utf8')).toBe(live);
    await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY }));
    expect(await entryOf(made)).toMatchObject({ sessionId: entry.sessionId });
    expect((await history(made)).texts).toEqual(['m4', 'm5']);
  });

  it('is no orphan and no finding while the session remembers it, whatever becomes of the live one', async () => {
    const made = await rotating();
    const { before } = await rotated(made);
    await talked(made, 4, 5);
    await made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'reset' }));
    await talked(made, 5, 6);
    await restart(made, { config: CONFIG });
    const report = await verifyStore('main', path.join(sessionsDir(made.stateDir), 'sessions.json'), { nowMs: Date.now });
    expect(report.findings).toEqual([]);
    expect(existsSync(path.join(sessionsDir(made.stateDir), `${before}.jsonl`))).toBe(true);
  });

  it('is nobody\'s orphan, and one that holds a summary alone is no empty one', async () => {
    const made = await rotating();
    await rotated(made);
    const second = await talked(made, 4, 6);
    await install(made, await ask(made));
    const { sessionId } = await entryOf(made);
    expect(sessionId).not.toBe(second);
    const next = await restart(made, { config: CONFIG });
    expect((await history(next)).texts).toEqual([]);
    const found: string[] = [];
    for await (const { item } of next.client.readFacts(ReadFactsRequest.create({ agentId: 'main', nowAtMs: Date.now() + 400 * 86_400_000, missingRows: true, fileClasses: ['orphan-transcript', 'orphan-trajectory', 'orphan-checkpoint'] }))) {
      if (item?.$case === 'files') found.push(...item.value.files.map(({ name }) => name));
      if (item?.$case === 'rows') found.push(...item.value.rows.map(({ key, transcriptState }) => `${key} ${String(transcriptState)}`));
    }
    expect(found).toEqual([]);
    const report = await verifyStore('main', path.join(sessionsDir(next.stateDir), 'sessions.json'), { nowMs: Date.now });
    expect(report.findings).toEqual([]);
    // A summary alone is set aside like any conversation, and comes back.
    const live = textAt(next, (await entryOf(next)).sessionFile);
    const checkpointId = String(((await entryOf(next))['compactionCheckpoints'] as JsonObject[])[0]?.['checkpointId']);
    await next.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY, checkpointId }));
    await next.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY }));
    expect(await entryOf(next)).toMatchObject({ sessionId });
    await next.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'reset' }));
    await next.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY }));
    expect(textAt(next, (await entryOf(next)).sessionFile)).toBe(live);
  });

  it('goes with a session that is deleted, and comes back with it', async () => {
    const made = await rotating();
    const { before, entry } = await rotated(made);
    await history(made);
    const old = textAt(made, `${before}.jsonl`);
    const live = textAt(made, entry.sessionFile);
    await made.client.deleteSession(StoreServiceDeleteSessionRequest.create({ agentId: 'main', key: KEY, deleteTranscript: true }));
    expect(readdirSync(sessionsDir(made.stateDir)).filter((name) => name.endsWith('.jsonl'))).toEqual([]);
    await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY }));
    expect(textAt(made, `${before}.jsonl`)).toBe(old);
    expect(textAt(made, entry.sessionFile)).toBe(live);
  });
});

describe('what was said before a session went on in another transcript', () => {
  const found = async (made: Bench, query: string): Promise<string[]> => {
    let answer = await made.client.search(SearchRequest.create({ agentId: 'main', query, in: 'text' }));
    for (; answer.incomplete; answer = await made.client.search(SearchRequest.create({ agentId: 'main', query, in: 'text' }))) await new Promise((resolve) => setTimeout(resolve, 10));
    return answer.hits.map(({ key, sessionId, snippet }) => `${key} ${sessionId} ${snippet}`);
  };
  const familyOf = async (made: Bench): Promise<{ ids: string[]; entry: Awaited<ReturnType<typeof entryOf>> }> => {
    const ids: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      for (const word of ['apple', 'pear']) ids[round] = (await made.client.deliver(telegram(`${word} number ${String(round)}`))).sessionId ?? '';
      const asked = await ask(made);
      const { sessionFile } = await entryOf(made);
      await history(made);
      const cutId = linesAt(made, sessionFile).filter(({ type }) => type === 'message').at(-1)?.['id'] as string;
      await install(made, asked, { cutId });
    }
    return { ids, entry: await entryOf(made) };
  };

  it('is found as long as its row lives, each message once, and when the index is made anew', async () => {
    const made = await rotating();
    const { ids, entry } = await familyOf(made);
    const apples = [2, 1, 0].map((round) => `${KEY} ${String(ids[round])} apple number ${String(round)}`);
    // Kept over each compaction it stands in two transcripts, or in all that followed.
    const pears = [`${KEY} ${entry.sessionId} pear number 2`, `${KEY} ${String(ids[2])} pear number 1`, `${KEY} ${String(ids[1])} pear number 0`];
    expect(await found(made, 'apple')).toEqual(apples);
    expect(await found(made, 'pear')).toEqual(pears);
    await made.stop();
    for (const name of readdirSync(path.join(sessionsDir(made.stateDir), '.store')).filter((one) => one.startsWith('index.sqlite'))) rmSync(path.join(sessionsDir(made.stateDir), '.store', name));
    const next = await bench({ config: CONFIG, stateDir: made.stateDir });
    expect(await found(next, 'apple')).toEqual(apples);
    expect(await found(next, 'pear')).toEqual(pears);
  });

  it('is not found any more once the session is deleted, and is erased with it', async () => {
    const made = await rotating();
    await familyOf(made);
    expect(await found(made, 'apple')).toHaveLength(3);
    const { archived } = await made.client.deleteSession(StoreServiceDeleteSessionRequest.create({ agentId: 'main', key: KEY, deleteTranscript: true }));
    // All that were set aside are named, those before it too.
    expect(archived.map((file) => path.basename(file)).sort()).toEqual(readdirSync(sessionsDir(made.stateDir)).filter((name) => name.includes('.jsonl.deleted.')).sort());
    expect(archived).toHaveLength(4);
    expect(await found(made, 'apple')).toEqual([]);
    await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY }));
    expect(await found(made, 'apple')).toHaveLength(3);
    const { report } = await made.client.erase(EraseRequest.create({ agentId: 'main', key: KEY }));
    expect(report?.left).toEqual([]);
    expect(await found(made, 'apple')).toEqual([]);
  });
});

/** Truncation and its undoing through the whole service. */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { AppendRecordsRequest, StoreServiceRestoreSessionRequest, TruncateTranscriptRequest } from '@sessions/contracts';
import { KEY, bench, cleanUpBenches, history, sessionsDir, telegram, transcriptLines, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const truncate = (made: Bench, maxLines: number) => made.client.truncateTranscript(TruncateTranscriptRequest.create({ agentId: 'main', key: KEY, maxLines }));
const restore = (made: Bench) => made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY }));
const line = (record: unknown): Buffer => Buffer.from(JSON.stringify(record));

/** A session of so many lines, the header among them. */
async function sessionOf(made: Bench, lines: number): Promise<string> {
  const { sessionId = '' } = await made.client.deliver(telegram('first'));
  for (let at = 2; at < lines; at += 100) {
    const count = Math.min(100, lines - at);
    await made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId, lines: Array.from({ length: count }, (_, index) => line({ type: 'message', message: { role: 'user', content: [{ type: 'text', text: `n${at + index}` }] } })) }));
  }
  await history(made);
  return sessionId;
}

it('leaves exactly 50 of 500 lines, header first, parents valid, the original beside it; a restore undoes it and keeps what came since', async () => {
  const made = await bench();
  const sessionId = await sessionOf(made, 500);
  const file = path.join(sessionsDir(made.stateDir), `${sessionId}.jsonl`);
  const original = readFileSync(file, 'utf8');
  const { result } = await truncate(made, 50);
  expect(result).toMatchObject({ ok: true, compacted: true, keptLines: 50 });
  expect(result?.archivedPath).toMatch(/\.jsonl\.bak\.\d{4}-/);
  expect(readFileSync(result?.archivedPath ?? '', 'utf8')).toBe(original);
  const kept = transcriptLines(made.stateDir, sessionId);
  expect(kept).toHaveLength(50);
  expect(kept[0]).toMatchObject({ type: 'session' });
  expect(kept[1]?.['parentId']).toBeNull();
  for (const [index, record] of kept.slice(2).entries()) expect(record['parentId']).toBe(kept[index + 1]?.['id']);
  expect(await truncate(made, 50)).toMatchObject({ result: { ok: true, compacted: false, reason: 'below limit', keptLines: 50 } });
  await made.client.deliver(telegram('later'));
  expect((await history(made)).texts.at(-1)).toBe('later');
  expect((await history(made)).texts).toHaveLength(50);
  const back = await restore(made);
  expect(back.archived).toHaveLength(1);
  const text = readFileSync(file, 'utf8');
  expect(text.startsWith(original)).toBe(true);
  expect(text.slice(original.length).split('\n')).toHaveLength(2);
  expect((await history(made)).texts).toHaveLength(500);
  expect(made.events.some(({ body }) => body?.$case === 'changed' && body.value.reason === 'compact')).toBe(true);
});

it('keeps every line that is appended while it cuts: once, live or in the archive', async () => {
  const made = await bench();
  const sessionId = await sessionOf(made, 300);
  const sends = Array.from({ length: 40 }, (_, index) => made.client.deliver(telegram(`during${index}.`)));
  const cut = truncate(made, 50);
  await Promise.all([...sends, cut]);
  await history(made);
  const archived = readFileSync((await cut).result?.archivedPath ?? '', 'utf8');
  const live = readFileSync(path.join(sessionsDir(made.stateDir), `${sessionId}.jsonl`), 'utf8');
  for (let index = 0; index < 40; index += 1) {
    expect(live.split(`during${index}.`).length + archived.split(`during${index}.`).length).toBeGreaterThanOrEqual(3);
    expect(live.split(`during${index}.`).length).toBeLessThanOrEqual(2);
  }
});

it('keeps a call with its result, and what a summary says it kept', async () => {
  const made = await bench();
  const sessionId = await sessionOf(made, 200);
  const records = [
    { type: 'message', message: { role: 'assistant', content: [{ type: 'toolCall', id: 't', name: 'x', arguments: {} }] } },
    { type: 'message', message: { role: 'toolResult', toolCallId: 't', toolName: 'x', content: 'r' } },
  ];
  await made.client.appendRecords(AppendRecordsRequest.create({ agentId: 'main', key: KEY, sessionId, lines: records.map(line) }));
  // The window of one line has a result alone: it grows back to the call.
  expect((await truncate(made, 2)).result).toMatchObject({ compacted: true, keptLines: 3 });
  const kept = transcriptLines(made.stateDir, sessionId);
  expect(kept.map(({ type }) => type)).toEqual(['session', 'message', 'message']);
});

it('says so when there is no such session or no transcript, and refuses numbers that are none', async () => {
  const made = await bench();
  await expect(truncate(made, 5)).rejects.toMatchObject({ reason: 'SESSION_NOT_FOUND', message: `No session found: ${KEY}` });
  await made.client.createSession({ agentId: 'main', key: KEY, fields: [], parentSessionKey: undefined, fork: false, forkContextTokens: undefined, sessionId: undefined });
  expect(await truncate(made, 5)).toMatchObject({ result: { ok: true, compacted: false, reason: 'no transcript' } });
  for (const wrong of [0, -1]) await expect(truncate(made, wrong)).rejects.toMatchObject({ reason: 'VALIDATION' });
  await made.client.deliver(telegram('hello'));
  // Any positive integer is a number of lines; nothing is to be done for a transcript that has fewer.
  for (const many of [1_000_001, Number.MAX_SAFE_INTEGER]) expect((await truncate(made, many)).result).toMatchObject({ ok: true, compacted: false, reason: 'below limit' });
});

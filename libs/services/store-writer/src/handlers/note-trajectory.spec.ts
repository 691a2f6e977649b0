/** What runs note, in the trajectory of their session: found with it, gone with it, and never of another one. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { EraseRequest, GetEntryRequest, InstallCompactionRequest, NoteTrajectoryRequest, RequestCompactionRequest, StoreServiceDeleteSessionRequest, StoreServiceResetSessionRequest, StoreServiceRestoreSessionRequest, TrajectoryNote } from '@sessions/contracts';
import type { JsonObject } from '@sessions/domain';
import { verifyStore } from '@sessions/store';
import { KEY, bench, cleanUpBenches, sessionsDir, telegram, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const CONFIG = { agents: { defaults: { model: 'demo/echo', compaction: { truncateAfterCompaction: true } } }, session: { reset: { mode: 'none' } } };
const noteOf = (seq: number, more: Partial<TrajectoryNote> = {}): TrajectoryNote => TrajectoryNote.create({ type: 'tool.call', atMs: 1_780_000_000_000 + seq, seq, attempt: 1, modelProvider: 'demo', model: 'echo', dataJson: Buffer.from('{"name":"exec"}'), ...more });
const note = (made: Bench, sessionId: string, seqs: readonly number[], more: Partial<NoteTrajectoryRequest> = {}) =>
  made.client.noteTrajectory(NoteTrajectoryRequest.create({ agentId: 'main', key: KEY, sessionId, runId: 'run-1', notes: seqs.map((seq) => noteOf(seq)), ...more }));
const said = async (made: Bench, text: string): Promise<string> => (await made.client.deliver(telegram(text))).sessionId ?? '';
const files = (made: Bench): string[] => readdirSync(sessionsDir(made.stateDir)).filter((name) => name.includes('trajectory')).sort();
const eventsOf = (made: Bench, file: string): JsonObject[] => readFileSync(path.join(sessionsDir(made.stateDir), file), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as JsonObject);
const entryOf = async (made: Bench): Promise<{ sessionId: string; sessionFile: string }> =>
  JSON.parse((await made.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY } }))).entryJson.toString('utf8')) as never;

it('stands beside the transcript, under the session that the key has', async () => {
  const made = await bench();
  const sessionId = await said(made, 'hello');
  expect(await note(made, sessionId, [1, 2])).toMatchObject({ isRecorded: true });
  expect(files(made)).toEqual([`${sessionId}.trajectory-path.json`, `${sessionId}.trajectory.jsonl`]);
  const workspaceDir = path.join(made.stateDir, 'workspace');
  expect(eventsOf(made, `${sessionId}.trajectory.jsonl`)).toEqual([1, 2].map((seq) => expect.objectContaining({ type: 'tool.call', seq, sourceSeq: seq, sessionId, sessionKey: KEY, runId: 'run-1', workspaceDir, provider: 'demo', modelId: 'echo', data: { name: 'exec' } })));
  expect((await verifyStore('main', path.join(sessionsDir(made.stateDir), 'sessions.json'), { nowMs: Date.now })).findings.filter(({ file }) => file?.includes('trajectory'))).toEqual([]);
});

it('goes on in the trajectory of the transcript that a compaction went on in', async () => {
  const made = await bench({ config: CONFIG });
  let before = '';
  for (const text of ['a', 'b', 'c']) before = await said(made, text);
  await note(made, before, [1]);
  const asked = await made.client.requestCompaction(RequestCompactionRequest.create({ agentId: 'main', key: KEY, reason: 'manual' }));
  await made.client.installCompaction(InstallCompactionRequest.create({ agentId: 'main', operationId: asked.operationId, snapshotTipId: asked.snapshotTipId, summary: 's', tokensBefore: 9, tokensAfter: 1 }));
  const { sessionId, sessionFile } = await entryOf(made);
  expect(sessionId).not.toBe(before);
  expect(await note(made, before, [2])).toMatchObject({ isRecorded: true });
  expect(eventsOf(made, `${before}.trajectory.jsonl`)).toMatchObject([{ seq: 1, sessionId: before }]);
  expect(eventsOf(made, sessionFile.replace(/\.jsonl$/u, '.trajectory.jsonl'))).toMatchObject([{ seq: 2, sessionId }]);
  // Both leave with the session.
  await made.client.deleteSession(StoreServiceDeleteSessionRequest.create({ agentId: 'main', key: KEY, deleteTranscript: true }));
  expect(files(made)).toHaveLength(4);
  expect(files(made).every((name) => name.includes('.deleted.'))).toBe(true);
});

it('takes no more of a run whose session was begun anew, deleted, or never was', async () => {
  const made = await bench();
  const before = await said(made, 'hello');
  await note(made, before, [1]);
  await made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'reset' }));
  expect(await note(made, before, [2])).toMatchObject({ isRecorded: false });
  expect(eventsOf(made, `${before}.trajectory.jsonl`)).toHaveLength(1);
  const { sessionId } = await entryOf(made);
  await made.client.deleteSession(StoreServiceDeleteSessionRequest.create({ agentId: 'main', key: KEY, deleteTranscript: true }));
  expect(await note(made, sessionId, [1])).toMatchObject({ isRecorded: false });
  expect(await note(made, sessionId, [1], { key: 'agent:main:nobody' })).toMatchObject({ isRecorded: false });
  expect(files(made)).toEqual([`${before}.trajectory-path.json`, `${before}.trajectory.jsonl`]);
});

it('comes back with its session, and goes on', async () => {
  const made = await bench();
  const sessionId = await said(made, 'hello');
  await note(made, sessionId, [1]);
  await made.client.deleteSession(StoreServiceDeleteSessionRequest.create({ agentId: 'main', key: KEY, deleteTranscript: true }));
  await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY }));
  await note(made, sessionId, [2]);
  expect(eventsOf(made, `${sessionId}.trajectory.jsonl`)).toMatchObject([{ seq: 1, sourceSeq: 1 }, { seq: 2, sourceSeq: 2 }]);
});

it('is erased with its session, where it was moved to as well', async () => {
  const made = await bench();
  const elsewhere = path.join(made.stateDir, 'elsewhere');
  const next = await bench({ trajectory: { enabled: true, dir: elsewhere } });
  for (const [one, place] of [[made, sessionsDir(made.stateDir)], [next, elsewhere]] as const) {
    const sessionId = await said(one, 'hello');
    await note(one, sessionId, [1]);
    if (place === elsewhere) writeFileSync(path.join(elsewhere, `${sessionId}.jsonl.tmp`), 'left by a process that died');
    expect(readdirSync(place).length).toBeGreaterThan(0);
    const seen = (await one.client.erase(EraseRequest.create({ agentId: 'main', key: KEY, dryRun: true }))).report;
    const { report } = await one.client.erase(EraseRequest.create({ agentId: 'main', key: KEY }));
    const ofTrajectories = (places: typeof report): object | undefined => places?.places.find(({ place }) => place === 'trajectories');
    expect(ofTrajectories(report)).toMatchObject({ files: 2 });
    expect(ofTrajectories(seen)).toEqual(ofTrajectories(report));
    expect(files(one)).toEqual([]);
    if (place === elsewhere) expect(readdirSync(elsewhere)).toEqual([]);
  }
});

it('records nothing where that is switched off', async () => {
  const made = await bench({ trajectory: { enabled: false, dir: undefined } });
  expect(await note(made, await said(made, 'hello'), [1])).toMatchObject({ isRecorded: false });
  expect(files(made)).toEqual([]);
});

it.each<[string, Partial<NoteTrajectoryRequest>, RegExp]>([
  ['no notes', { notes: [] }, /1 to 256 notes/u],
  ['too many', { notes: Array.from({ length: 257 }, (_, at) => noteOf(at + 1)) }, /1 to 256 notes/u],
  ['a type that is no name', { notes: [noteOf(1, { type: 'Tool Call' })] }, /type/u],
  ['no ordinal', { notes: [noteOf(0)] }, /seq/u],
  ['data that is no object', { notes: [noteOf(1, { dataJson: Buffer.from('[1]') })] }, /JSON object/u],
  ['data that is too long', { notes: [noteOf(1, { dataJson: Buffer.alloc(256 * 1024 + 1, 0x20) })] }, /at most 262144 bytes/u],
  ['no time', { notes: [noteOf(1, { atMs: 9e15 })] }, /at_ms/u],
  ['no run', { runId: '' }, /run_id/u],
])('refuses %s', async (_name, more, message) => {
  const made = await bench();
  const sessionId = await said(made, 'hello');
  await expect(note(made, sessionId, [1], more)).rejects.toMatchObject({ reason: 'VALIDATION', message: expect.stringMatching(message) });
  expect(files(made)).toEqual([]);
});

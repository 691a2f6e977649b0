/** The trajectory of a session as its owner writes it, on a real store. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { TRAJECTORY_EVENT_BYTES_MAX, type JsonObject } from '@sessions/domain';
import type { AgentStore } from '../agent-store';
import { openStore } from '../open-store';
import type { TrajectoryNote } from './event-line';
import { readLastEvents, trajectoryPath } from './trajectory-file';
import { TrajectoryWriter } from './trajectory-writer';

const ID = '0190aaaa-0000-7000-8000-000000000001';
const TARGET = { file: `${ID}.jsonl`, sessionId: ID };
const BESIDE = `${ID}.trajectory.jsonl`;
const POINTER = `${ID}.trajectory-path.json`;
const RUN = { sessionId: ID, sessionKey: 'agent:main:main', runId: 'run-1', workspaceDir: '/w' };
const NOW = Date.UTC(2026, 5, 1, 9);

let dir: string;
let store: AgentStore;

const open = (): Promise<AgentStore> => openStore({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => NOW } });
const writer = (more: Partial<ConstructorParameters<typeof TrajectoryWriter>[0]> = {}): TrajectoryWriter => new TrajectoryWriter({ store, nowMs: () => NOW, ...more });
const note = (seq: number, more: Partial<TrajectoryNote> = {}): TrajectoryNote => ({ type: 'tool.call', atMs: NOW + seq, seq, attempt: 1, provider: 'local', modelId: 'small', data: { name: 'exec' }, ...more });
const notes = (from: number, to: number, more: Partial<TrajectoryNote> = {}): TrajectoryNote[] => Array.from({ length: to - from }, (_, at) => note(from + at, more));
const isPresent = (): Promise<boolean> => Promise.resolve(true);
const append = (to: TrajectoryWriter, what: readonly TrajectoryNote[], run = RUN): Promise<boolean> => to.append(TARGET, run, what, isPresent);
const linesOf = (file: string): string[] => fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
const eventsOf = (file = path.join(dir, BESIDE)): JsonObject[] => linesOf(file).map((line) => JSON.parse(line) as JsonObject);
const seqs = (file?: string): unknown[] => eventsOf(file).map(({ sourceSeq }) => sourceSeq);

beforeEach(async () => {
  dir = fs.mkdtempSync(path.join(tmpdir(), 'trajectory-'));
  store = await open();
});
afterEach(async () => {
  await store.close();
  fs.rmSync(dir, { recursive: true });
});

it('stands beside the transcript, readable by its owner alone, with a pointer that readers follow', async () => {
  expect(await append(writer(), notes(1, 3))).toBe(true);
  expect(eventsOf()).toEqual([1, 2].map((seq) => ({ traceSchema: 'openclaw-trajectory', schemaVersion: 1, traceId: ID, source: 'runtime', type: 'tool.call', ts: new Date(NOW + seq).toISOString(), seq, sourceSeq: seq, ...RUN, provider: 'local', modelId: 'small', data: { name: 'exec' } })));
  const runtimeFile = path.join(dir, BESIDE);
  expect(JSON.parse(fs.readFileSync(path.join(dir, POINTER), 'utf8'))).toEqual({ traceSchema: 'openclaw-trajectory-pointer', schemaVersion: 1, sessionId: ID, runtimeFile });
  for (const name of [BESIDE, POINTER]) expect(fs.statSync(path.join(dir, name)).mode & 0o777).toBe(0o600);
  expect(trajectoryPath({ directory: dir, ...TARGET })).toBe(runtimeFile);
  expect(readLastEvents(runtimeFile, 10).events).toHaveLength(2);
});

it('counts on after another writer, over a torn line, and writes what is repeated once', async () => {
  const first = writer();
  await append(first, notes(1, 4));
  await append(first, notes(2, 6));
  expect(seqs()).toEqual([1, 2, 3, 4, 5]);
  await append(first, notes(1, 2, { attempt: 2 }));
  fs.appendFileSync(path.join(dir, BESIDE), '{"traceSchema":"openclaw-traj');
  const next = writer();
  await append(next, notes(1, 3), { ...RUN, runId: 'run-2' });
  await append(next, notes(3, 4), { ...RUN, runId: 'run-2' });
  expect(readLastEvents(path.join(dir, BESIDE), 100).events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

it('keeps its newest part when it grows to its bound, whole lines, and says that it was cut', async () => {
  const bound = writer({ bytesMax: 20_000, bytesKept: 10_000 });
  for (let seq = 1; seq <= 200; seq += 1) await append(bound, [note(seq)]);
  expect(fs.statSync(path.join(dir, BESIDE)).size).toBeLessThanOrEqual(20_000);
  const [cut, ...kept] = eventsOf();
  expect(cut).toMatchObject({ type: 'trace.truncated', data: { reason: 'trajectory-file-size-limit', limitBytes: 20_000 } });
  const from = 201 - kept.length;
  expect(kept.map(({ seq }) => seq)).toEqual(Array.from({ length: kept.length }, (_, at) => from + at));
  expect(kept.length).toBeGreaterThan(20);
  expect(fs.readdirSync(path.join(dir, '.store')).filter((name) => name.startsWith('staged'))).toEqual([]);
});

it('stands in a directory of its own where one is named, cut there too', async () => {
  const directory = path.join(dir, 'elsewhere', 'trajectories');
  const relocated = writer({ directory, bytesMax: 20_000, bytesKept: 10_000 });
  for (let seq = 1; seq <= 100; seq += 1) await append(relocated, [note(seq)]);
  expect(fs.existsSync(path.join(dir, BESIDE))).toBe(false);
  const file = path.join(directory, `${ID}.jsonl`);
  expect(trajectoryPath({ directory: dir, ...TARGET })).toBe(file);
  expect(eventsOf(file).at(-1)).toMatchObject({ seq: 100 });
  expect(fs.readdirSync(directory)).toEqual([`${ID}.jsonl`]);
  // Found again where it stands now.
  await append(writer(), [note(1)]);
  expect(trajectoryPath({ directory: dir, ...TARGET })).toBe(path.join(dir, BESIDE));
});

it('holds no credentials, and a mark in the place of data that is too large', async () => {
  const texts = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`t${String(at)}`, 'x'.repeat(30_000)]));
  await append(writer(), [note(1, { data: { apiKey: 'k-1', text: 'Authorization: Bearer abcdefghijklmnopqrstuvwxyz123456', image: { type: 'image', data: 'AAAA' } } }), note(2, { data: texts })]);
  const text = fs.readFileSync(path.join(dir, BESIDE), 'utf8');
  expect(text).not.toMatch(/k-1|abcdefghijklmnop|AAAA|xxxx/u);
  expect(eventsOf()[1]).toMatchObject({ data: { truncated: true, reason: 'trajectory-event-size-limit', limitBytes: TRAJECTORY_EVENT_BYTES_MAX } });
});

it('writes nothing for a session that has another transcript by now, and never into what is being set aside', async () => {
  const one = writer();
  await append(one, [note(1)]);
  expect(await one.append(TARGET, RUN, [note(2)], () => Promise.resolve(false))).toBe(false);
  expect(seqs()).toEqual([1]);
  let here = true;
  const late = store.withHeld([{ file: BESIDE }, { file: POINTER }], async (held) => {
    const writing = one.append(TARGET, RUN, [note(3)], () => Promise.resolve(here));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await store.mutate({ held, decide: () => ({ effects: [BESIDE, POINTER].map((file) => ({ kind: 'setAside' as const, file })), result: null }) });
    here = false;
    return { writing };
  });
  expect(await (await late).writing).toBe(false);
  expect(fs.readdirSync(dir).filter((name) => name.includes('trajectory')).sort()).toEqual([`${POINTER}.deleted.2026-06-01T09-00-00.000Z`, `${BESIDE}.deleted.2026-06-01T09-00-00.000Z`]);
  expect(seqs(path.join(dir, `${BESIDE}.deleted.2026-06-01T09-00-00.000Z`))).toEqual([1]);
});

it('follows no link out of the store', async () => {
  const outside = path.join(dir, 'outside');
  fs.writeFileSync(outside, 'mine');
  fs.symlinkSync(outside, path.join(dir, BESIDE));
  await expect(append(writer(), [note(1)])).rejects.toThrow();
  expect(fs.readFileSync(outside, 'utf8')).toBe('mine');
});

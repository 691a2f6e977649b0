/**
 * A store's owner in memory, for tests of the runner: one session, runs with attempts and claims, a
 * transcript that is a list of lines. Real calls over a real bus; nothing lasts.
 */
import {
  AppendRecordsResponse, BeginTurnResponse, BranchHead, FinishTurnResponse, HistoryRecords, RequestCompactionResponse, InboundMessage, NoteTrajectoryResponse, PutChunkResponse, ReadBranchResponse, RunRequest, StoreServiceService, TranscriptRecord, TurnJob, TurnSettings,
  type FinishTurnRequest, type TrajectoryNote,
} from '@sessions/contracts';
import { createSubjects, serveService, type Bus, type Served } from '@sessions/bus';
import { SessionError, isJsonObject, missingResults, parseTranscriptLine, type JsonObject, type TranscriptLine } from '@sessions/domain';

export const AGENT = 'main';
export const KEY = 'agent:main:main';
const SESSION_ID = '0190aaaa-0000-7000-8000-000000000001';

export interface StandInRun {
  readonly request: RunRequest;
  attempt: number;
  messageId: string;
  cancelReason: string | undefined;
  finished: FinishTurnRequest | undefined;
}

export interface StandInOwner {
  readonly lines: JsonObject[];
  readonly runs: ReadonlyMap<string, StandInRun>;
  /** What runs noted for the trajectory, in order. */
  readonly notes: TrajectoryNote[];
  /** Answers a note; default: it is recorded. */
  onNotes: (notes: readonly TrajectoryNote[]) => Promise<boolean>;
  /** Calls so far, by method. */
  readonly calls: string[];
  entry: JsonObject;
  /** Puts a message and its run into the session and publishes the notice. */
  deliver(text: string, run?: Partial<RunRequest>): Promise<string>;
  /** Gives the run to the next attempt. */
  nextAttempt(runId: string): Promise<void>;
  /** A message into the turn that runs. */
  steer(runId: string, text: string): void;
  cancel(runId: string, reason: string): void;
  ended(runId: string): Promise<FinishTurnRequest>;
  /** Messages of the transcript, as they stand. */
  messages(): JsonObject[];
  /** Puts a line into the transcript. */
  append(line: JsonObject): string;
  /** Throws away the session's id, as a reset does. */
  reset(): void;
  stop(): Promise<void>;
}

export async function serveStandInOwner(bus: Bus): Promise<StandInOwner> {
  const subjects = createSubjects();
  const lines: JsonObject[] = [];
  const runs = new Map<string, StandInRun>();
  const steers = new Map<string, string[]>();
  const calls: string[] = [];
  const notes: TrajectoryNote[] = [];
  const answers = new Map<string, unknown>();
  const uploads = new Map<string, Buffer[]>();
  const waiting = new Map<string, (end: FinishTurnRequest) => void>();
  let sessionId = SESSION_ID;
  let number = 0;

  const append = (line: JsonObject): string => {
    number += 1;
    const id = typeof line['id'] === 'string' ? line['id'] : number.toString(16).padStart(8, '0');
    lines.push({ ...line, id, parentId: (lines.at(-1)?.['id'] as string | undefined) ?? null });
    return id;
  };
  const user = (text: string): string => append({ type: 'message', message: { role: 'user', content: [{ type: 'text', text }], timestamp: 1 } });
  const path = (): TranscriptLine[] => lines.flatMap((line, at) => {
    const parsed = parseTranscriptLine(JSON.stringify(line), at + 1);
    return parsed.ok ? [parsed] : [];
  });
  const held = (runId: string, attempt: number): StandInRun => {
    const run = runs.get(runId);
    if (run === undefined || run.finished !== undefined) throw new SessionError('RUN_NOT_FOUND', 'no such run is open');
    if (run.attempt !== attempt) throw new SessionError('STALE_PLAN', 'another attempt holds the run');
    return run;
  };
  const once = <T>(key: string | undefined, make: () => T): T => {
    if (key === undefined) throw new SessionError('VALIDATION', 'a mutation needs a key');
    if (!answers.has(key)) answers.set(key, make());
    return answers.get(key) as T;
  };
  const publish = (runId: string, attempt: number): Promise<unknown> =>
    bus.jobs.publish(subjects.job('turn', AGENT), TurnJob, TurnJob.create({ agentId: AGENT, runId, attempt, sessionKey: KEY }), `turn:${AGENT}:${runId}:${String(attempt)}`);

  const owner: StandInOwner = {
    lines,
    runs,
    calls,
    notes,
    onNotes: () => Promise.resolve(true),
    entry: {},
    async deliver(text, request = {}) {
      const runId = request.runId ?? `run-${String(runs.size + 1)}`;
      runs.set(runId, { request: RunRequest.create({ ...request, runId }), attempt: 1, messageId: user(text), cancelReason: undefined, finished: undefined });
      await publish(runId, 1);
      return runId;
    },
    async nextAttempt(runId) {
      const run = runs.get(runId) as StandInRun;
      run.attempt += 1;
      for (const message of missingResults(path())) append({ type: 'message', message });
      await publish(runId, run.attempt);
    },
    steer(runId, text) {
      steers.set(runId, [...(steers.get(runId) ?? []), text]);
    },
    cancel(runId, reason) {
      (runs.get(runId) as StandInRun).cancelReason = reason;
    },
    ended(runId) {
      const finished = runs.get(runId)?.finished;
      return finished === undefined ? new Promise((resolve) => waiting.set(runId, resolve)) : Promise.resolve(finished);
    },
    append,
    messages: () => lines.flatMap((line) => (isJsonObject(line['message']) ? [line['message']] : [])),
    reset() {
      sessionId = '0190aaaa-0000-7000-8000-000000000002';
    },
    stop: () => served.stop(),
  };

  const served: Served = await serveService(
    bus,
    StoreServiceService,
    {
      beginTurn: async ({ runId, attempt, takeSteered }, { idempotencyKey }) =>
        once(idempotencyKey, () => {
          calls.push('beginTurn');
          const run = held(runId, attempt);
          const taken = takeSteered ? (steers.get(runId) ?? []) : [];
          const steerMessages = taken.map((text) => InboundMessage.create({ role: 'user', text }));
          for (const text of taken) user(text);
          if (takeSteered) steers.delete(runId);
          return BeginTurnResponse.create({
            epoch: 7, sessionKey: KEY, sessionId, tipId: lines.at(-1)?.['id'] as string, messageId: run.messageId, steerMessages,
            cancelled: run.cancelReason !== undefined, cancelReason: run.cancelReason, claimEndsAtMs: bus.clock.nowMs() + 60_000,
            settings: TurnSettings.create({ run: run.request, entryJson: Buffer.from(JSON.stringify(owner.entry)) }),
          });
        }),
      async *readBranch() {
        calls.push('readBranch');
        await Promise.resolve();
        yield ReadBranchResponse.create({ item: { $case: 'head', value: BranchHead.create({ sessionId }) } });
        const records = lines.map((line, at) => TranscriptRecord.create({ recordId: line['id'] as string, lineNumber: at + 1, lineJson: Buffer.from(JSON.stringify(line)), type: line['type'] as string }));
        for (const record of records) yield ReadBranchResponse.create({ item: { $case: 'records', value: HistoryRecords.create({ records: [record] }) } });
      },
      appendRecords: async ({ lines: given, uploadId, runId, attempt, sessionId: wanted }, { idempotencyKey }) =>
        once(idempotencyKey, () => {
          calls.push('appendRecords');
          held(runId ?? '', attempt ?? 0);
          if (wanted !== sessionId) throw new SessionError('ENTRY_CHANGED', 'the key has another session id by now');
          const all = uploadId === undefined ? given : [Buffer.concat(uploads.get(uploadId) ?? [])];
          return AppendRecordsResponse.create({ recordIds: all.map((line) => append(JSON.parse(Buffer.from(line).toString('utf8')) as JsonObject)) });
        }),
      putChunk: async ({ uploadId, data }, { idempotencyKey }) =>
        once(idempotencyKey, () => {
          uploads.set(uploadId, [...(uploads.get(uploadId) ?? []), Buffer.from(data)]);
          return PutChunkResponse.create({});
        }),
      requestCompaction: async ({ reason }) => {
        calls.push(`requestCompaction ${reason}`);
        return RequestCompactionResponse.create({ operationId: 'operation-1' });
      },
      noteTrajectory: async ({ notes: given }) => {
        notes.push(...given);
        return NoteTrajectoryResponse.create({ isRecorded: await owner.onNotes(given) });
      },
      finishTurn: async (request, { idempotencyKey }) =>
        once(idempotencyKey, () => {
          calls.push('finishTurn');
          held(request.runId, request.attempt).finished = request;
          waiting.get(request.runId)?.(request);
          return FinishTurnResponse.create({});
        }),
    },
    { subjectFor: (method) => (method === 'ClaimStore' || method === 'ListAgents' ? undefined : subjects.store(AGENT, method)) },
  );
  return owner;
}

/** Messages in quick succession behind a run: the next turn waits for quiet, and answers them together where the mode says so. */
import { CancelRunRequest, BeginTurnRequest, DeliverRequest, FinishTurnRequest, ListPendingRequest, ReplyRoute, RunRequest, StoreServiceDeleteSessionRequest, StoreServiceResetSessionRequest, TurnJob } from '@sessions/contracts';
import { KEY, bench, cleanUpBenches, history, restart, subjects, telegram, transcriptLines, until, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const QUIET_MS = 400;
/** Longer than a busy machine takes between one turn's end and the next message. */
const PATIENT_MS = 3_000;
const LONG_MS = 600_000;
const configOf = (queue: object) => ({ agents: { defaults: { model: 'demo/echo' } }, messages: { queue } });

const says = (made: Bench, runId: string, more: Partial<RunRequest> = {}) =>
  made.client.deliver(DeliverRequest.create({ ...telegram(runId, { messageId: `m-${runId}` }), run: RunRequest.create({ runId, deliver: true, replyRoute: ReplyRoute.create({ channel: 'telegram', to: '123' }), source: 'channel', ...more }) }));
const begin = (made: Bench, runId: string) => made.client.beginTurn(BeginTurnRequest.create({ agentId: 'main', runId, runnerId: 'runner/a', attempt: 1 }));
const finish = (made: Bench, runId: string) => made.client.finishTurn(FinishTurnRequest.create({ agentId: 'main', runId, outcome: 'ok', text: `answer to ${runId}`, attempt: 1 }));
const answered = async (made: Bench): Promise<unknown[]> => (await made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['delivery'] }))).deliveries.map(({ text }) => text);
const waiting = async (made: Bench): Promise<unknown[]> => (await made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['turn'] }))).turns.map(({ run }) => run?.runId);

/** What is told, and when. */
async function toldOf(made: Bench): Promise<{ runId: string; atMs: number }[]> {
  const told: { runId: string; atMs: number }[] = [];
  await made.bus.jobs.consume(subjects.jobs('turn'), TurnJob, async (job) => {
    told.push({ runId: job.value.runId, atMs: Date.now() });
    await job.ack();
  });
  return told;
}

/** One turn has run, and what came meanwhile waits. */
async function afterOne(made: Bench, meanwhile: readonly string[], more: Partial<RunRequest> = {}): Promise<void> {
  await says(made, 'r1');
  await begin(made, 'r1');
  for (const runId of meanwhile) await says(made, runId, more);
  await finish(made, 'r1');
}

it('collects what came during a turn and in the quiet after it into one turn', async () => {
  const made = await bench({ config: configOf({ mode: 'collect', debounceMs: PATIENT_MS }) });
  const told = await toldOf(made);
  await afterOne(made, ['r2', 'r3']);
  const lastAtMs = Date.now();
  await says(made, 'r4');
  await until(() => told.some(({ runId }) => runId === 'r2'));
  expect((told.find(({ runId }) => runId === 'r2')?.atMs ?? 0) - lastAtMs).toBeGreaterThanOrEqual(PATIENT_MS - 1);
  await begin(made, 'r2');
  expect((await history(made)).texts).toEqual(['r1', 'r2', 'r3', 'r4']);
  await finish(made, 'r2');
  expect(told.map(({ runId }) => runId)).toEqual(['r1', 'r2']);
  expect(await answered(made)).toEqual(['answer to r1', 'answer to r2']);
});

it('waits for as much quiet as the session, its channel or the message itself says', async () => {
  const long = { debounceMs: LONG_MS };
  const queues: [object, Partial<RunRequest>, string | undefined][] = [
    [{ mode: 'followup', debounceMs: 0 }, {}, undefined],
    [{ mode: 'collect', ...long, debounceMsByChannel: { telegram: 0 } }, {}, undefined],
    [{ mode: 'collect', ...long }, { queueMode: 'collect', queueDebounceMs: 0 }, undefined],
    [{ mode: 'collect', ...long }, {}, '/queue collect debounce:0'],
  ];
  for (const [queue, more, command] of queues) {
    const made = await bench({ config: configOf(queue) });
    const told = await toldOf(made);
    if (command !== undefined) expect(await made.client.deliver(telegram(command, { authority: 'owner' }))).toMatchObject({ status: 'handled' });
    await afterOne(made, ['r2'], more);
    await until(() => told.some(({ runId }) => runId === 'r2'));
  }
});

it('goes on waiting after a restart, and loses nothing', async () => {
  let made = await bench({ config: configOf({ mode: 'collect', debounceMs: LONG_MS }) });
  await afterOne(made, ['r2', 'r3']);
  made = await restart(made, { config: configOf({ mode: 'collect', debounceMs: 0 }) });
  const told = await toldOf(made);
  // What waits keeps the quiet that it was accepted with; what comes now says its own, and the longest holds.
  await says(made, 'r4');
  expect(await waiting(made)).toEqual(['r2', 'r3', 'r4']);
  expect(told).toEqual([]);
  await begin(made, 'r2');
  expect((await history(made)).texts).toEqual(['r1', 'r2', 'r3', 'r4']);
});

it('starts nothing that was stopped while it waited for quiet, and keeps its message', async () => {
  const made = await bench({ config: configOf({ mode: 'collect', debounceMs: QUIET_MS }) });
  const told = await toldOf(made);
  await afterOne(made, ['r2', 'r3']);
  expect(await made.client.cancelRun(CancelRunRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY }, reason: 'stop' }))).toMatchObject({ cancelledRunIds: ['r2', 'r3'] });
  expect((await history(made)).texts).toEqual(['r1', 'r2', 'r3']);
  const { sessionId } = await says(made, 'r4');
  await begin(made, 'r4');
  await says(made, 'r5');
  await finish(made, 'r4');
  const done = await made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'reset', waitMs: 1_000 }));
  expect(done.previousSessionId).toBe(sessionId);
  await says(made, 'r6');
  await begin(made, 'r6');
  await says(made, 'r7');
  await finish(made, 'r6');
  await made.client.deleteSession(StoreServiceDeleteSessionRequest.create({ agentId: 'main', key: KEY, deleteTranscript: true }));
  // Longer than any of them would have waited.
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS + 100));
  expect(told.map(({ runId }) => runId)).toEqual(['r1', 'r4', 'r6']);
});

it('has everything over the cap in the next turn, or leaves it to the transcript, as drop says', async () => {
  for (const [drop, over, asked] of [['summarize', ['r2'], ['r2', 'r3', 'r4']], ['old', ['r2'], ['r3', 'r4']], ['new', ['r4'], ['r2', 'r3']]] as const) {
    const made = await bench({ config: configOf({ mode: 'followup', debounceMs: 0, cap: 2, drop }) });
    await afterOne(made, ['r2', 'r3', 'r4']);
    expect(await waiting(made)).toEqual(asked.filter((runId) => drop === 'summarize' || !(over as readonly string[]).includes(runId)));
    const [first = ''] = asked.filter((runId) => !(over as readonly string[]).includes(runId));
    await begin(made, first);
    await finish(made, first);
    const [last = ''] = asked.slice(-1);
    await begin(made, last);
    await finish(made, last);
    expect(await answered(made)).toEqual(['answer to r1', `answer to ${first}`, `answer to ${last}`]);
    // What the model is told, and what the transcript keeps: that is every message.
    expect((await history(made)).texts).toEqual(['r1', ...asked]);
    const { sessionId = '' } = await made.client.deliver(telegram('/queue', { authority: 'owner' }));
    const lines = transcriptLines(made.stateDir, sessionId).map((line) => JSON.stringify(line));
    for (const runId of ['r1', 'r2', 'r3', 'r4']) expect(lines.filter((line) => line.includes(`"${runId}"`))).toHaveLength(1);
  }
});

it('keeps the message that waited for its turn when another one interrupts it', async () => {
  for (const queue of [{ mode: 'collect', debounceMs: LONG_MS }, { mode: 'followup', debounceMs: 0 }]) {
    const made = await bench({ config: configOf(queue) });
    await afterOne(made, ['r2']);
    expect(await says(made, 'r3', { queueMode: 'interrupt' })).toMatchObject({ interruptedRunId: 'r2', queued: false, messageSeq: 3 });
    await begin(made, 'r3');
    await finish(made, 'r3');
    expect((await history(made)).texts).toEqual(['r1', 'r2', 'r3']);
  }
});

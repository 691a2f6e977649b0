/**
 * One turn from its notice to its end: claimed at the owner, executed by a runtime, written line by
 * line, finished. Everything that lasts is at the owner: a runner that dies here leaves an open run
 * whose claim ends, and the next attempt goes on from the transcript.
 *
 * Stops at once, without another word, when the run is another attempt's by now.
 */
import type { BeginTurnResponse, FinishTurnRequest, SteerTurnRequest, TurnDone, TurnJob } from '@sessions/contracts';
import type { JobAnswer } from '@sessions/bus';
import { SessionError, isJsonObject } from '@sessions/domain';
import { isSuperseded } from '../owner-calls';
import { Claim } from './claim';
import { Executions } from './executions';
import { promptReport } from './prompt-report';
import { failureOf, finishRequest } from './run-end';
import { RunEvents } from './run-events';
import { runFlush } from './run-flush';
import { serveRunDoor } from './run-door';
import { placeOf, type BegunTurn, type TurnDeps } from './turn-deps';
import { promptFacts, type TurnEntry } from './turn-request';
import { LEFT, artifactsData, endedData, startedData, unansweredData } from './trajectory-notes';
import { TurnStop } from './turn-stop';
import { TurnTrajectory } from './turn-trajectory';

/** When a notice comes again whose owner cannot be reached, or whose session has another run. Milliseconds. */
const OWNER_AWAY_RETRY_MS = 5_000;
const STILL_ACTIVE_RETRY_MS = 2_000;

/** @param stopping aborts when this process stops: the run stays open for the next attempt. */
export async function runTurn(deps: TurnDeps, job: TurnJob, stopping: AbortSignal): Promise<JobAnswer> {
  const { bus, subjects, runnerId } = deps;
  let turn: TurnRun | undefined;
  const door = await serveRunDoor(bus, subjects, { runId: job.runId, runnerId }, { steer: async (request) => (await turn?.steer(request)) ?? false, cancel: (reason) => turn?.stop(reason) });
  try {
    const claim = new Claim(deps, job);
    let begun: BeginTurnResponse;
    try {
      begun = await claim.take();
    } catch (error) {
      return answerOfRefusal(error);
    }
    turn = new TurnRun(deps, job, claim, begun);
    await turn.run(stopping);
    return { done: true };
  } finally {
    await door.stop();
  }
}

/** @throws what no further try can mend */
function answerOfRefusal(error: unknown): JobAnswer {
  if (!(error instanceof SessionError)) throw error;
  if (error.reason === 'RUN_STILL_ACTIVE') return { retry: 'run-still-active', afterMs: STILL_ACTIVE_RETRY_MS };
  if (isSuperseded(error)) return { done: true };
  if (error.faces.retry === 'no') throw error;
  return { retry: error.reason.toLowerCase().replaceAll('_', '-'), afterMs: OWNER_AWAY_RETRY_MS };
}

class TurnRun {
  readonly #deps: TurnDeps;
  readonly #turn: BegunTurn;
  readonly #claim: Claim;
  readonly #events: RunEvents;
  readonly #stop = new TurnStop();
  readonly #trajectory: TurnTrajectory;
  readonly #executions: Executions;
  readonly #startedAtMs: number;
  /** The end is noted. */
  #hasEnded = false;

  constructor(deps: TurnDeps, job: TurnJob, claim: Claim, begun: BeginTurnResponse) {
    const { bus, subjects } = deps;
    this.#deps = deps;
    this.#claim = claim;
    this.#startedAtMs = bus.clock.nowMs();
    this.#turn = { job, begun, entry: entryOf(begun) };
    this.#events = new RunEvents(bus, subjects, { ...placeOf(this.#turn), sessionKey: begun.sessionKey, epoch: begun.epoch });
    this.#trajectory = new TurnTrajectory(deps, { ...placeOf(this.#turn), key: begun.sessionKey });
    this.#executions = new Executions(deps, this.#turn, { claim, events: this.#events, stop: this.#stop, trajectory: this.#trajectory });
  }

  async run(stopping: AbortSignal): Promise<void> {
    const { job, begun } = this.#turn;
    const leave = (): void => this.#executions.leave();
    if (stopping.aborted) leave();
    stopping.addEventListener('abort', leave, { once: true });
    await this.#executions.take(begun);
    this.#claim.keep({ onLost: leave, onNews: (news) => this.#executions.take(news) });
    try {
      this.#trajectory.note('session.started', startedData(this.#turn));
      const done = await this.#executions.run();
      if (this.#stop.isLeft) return;
      this.#tellEnd(done);
      const savesNotes = done.outcome === 'ok' && this.#stop.reason === undefined;
      const flushed = savesNotes ? await runFlush(this.#deps, this.#turn, this.#executions) : [];
      this.#noteEnd(done);
      await this.#finish(done, [...this.#promptFields(), ...flushed]);
    } catch (error) {
      if (!isSuperseded(error)) throw error;
      this.#deps.logger.info('a turn is another attempt\'s by now', { agentId: job.agentId, attempt: job.attempt });
    } finally {
      stopping.removeEventListener('abort', leave);
      if (!this.#hasEnded) this.#trajectory.note('session.ended', LEFT);
      await Promise.all([this.#claim.end(), this.#trajectory.end()]);
    }
  }

  steer(request: SteerTurnRequest): Promise<boolean> {
    return this.#executions.steer(request);
  }

  stop(reason: string): void {
    this.#executions.stop(reason);
  }

  #tellEnd(done: TurnDone): void {
    const aborted = done.outcome === 'aborted';
    this.#events.end({ startedAtMs: this.#startedAtMs, text: done.text ?? '', stopReason: aborted ? 'rpc' : (done.stopReason ?? 'stop'), aborted, errorMessage: failureOf(done) });
  }

  /** On its way before the run is finished: once that is known, the session may be another one. */
  #noteEnd(done: TurnDone): void {
    const { last } = this.#trajectory;
    const isToldOf = last?.type === 'model.completed' && last.data['stopReason'] !== 'stop';
    if (done.outcome !== 'ok' && !isToldOf) this.#trajectory.note('model.completed', unansweredData(done));
    this.#trajectory.note('trace.artifacts', artifactsData(done, this.#executions.usage.all(), this.#deps.bus.clock.nowMs()));
    this.#trajectory.note('session.ended', endedData(done));
    this.#hasEnded = true;
    this.#trajectory.send();
  }

  #promptFields(): FinishTurnRequest['fields'] {
    const { job, begun } = this.#turn;
    const tools = this.#executions.toolsJson;
    return tools === undefined ? [] : [promptReport(promptFacts(job.agentId, begun, tools.length > 0), tools, this.#deps.bus.clock.nowMs())];
  }

  async #finish(done: TurnDone, fields: FinishTurnRequest['fields']): Promise<void> {
    if (this.#stop.isLeft) return;
    const { job } = this.#turn;
    const idempotencyKey = this.#claim.nextKey();
    const request = finishRequest(job, done, { usage: this.#executions.usage.all(), fields });
    await this.#deps.owner(job.agentId, (store) => store.finishTurn(request, { idempotencyKey }));
  }
}

function entryOf({ settings }: BeginTurnResponse): TurnEntry {
  const bytes = settings?.entryJson;
  if (bytes === undefined || bytes.length === 0) return {};
  const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
  return isJsonObject(value) ? value : {};
}

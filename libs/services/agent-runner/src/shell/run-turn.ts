/**
 * One turn from its notice to its end: claimed at the owner, executed by a runtime, written line by
 * line, finished. Everything that lasts is at the owner: a runner that dies here leaves an open run
 * whose claim ends, and the next attempt goes on from the transcript.
 *
 * Stops at once, without another word, when the run is another attempt's by now. Bounds:
 * EXECUTIONS_MAX where the runtime's stream breaks.
 */
import { ExecuteTurnRequest, FinishTurnRequest, TurnDone, TurnLimits, type BeginTurnResponse, type SteerTurnRequest, type TurnJob } from '@sessions/contracts';
import { sleep, type Bus, type JobAnswer, type Subjects } from '@sessions/bus';
import { SessionError, TEXT_BYTES_MAX, contextTokens, estimateLineTokens, isJsonObject, type SessionConfig } from '@sessions/domain';
import type { Logger } from '@sessions/host';
import { isSuperseded, type AskOwner } from '../owner-calls';
import { readBranch, type ReadBranch } from '../read-branch';
import { MID_TURN_REASON } from '../runtime/chat-loop';
import { assistantLine, newLineId } from '../runtime/record-lines';
import { appendRecord } from './append-record';
import { Claim } from './claim';
import { compactInline } from './compact-inline';
import { Execution, type ExecutionEnd } from './execution';
import type { OfferTools } from './offered-tools';
import { FLUSH_MS_MAX, flushDue, flushFields, flushLine, flushTools, type Flush } from './flush-memory';
import { hasFlushLineAfter, inlineBranch, linesAfter, recordedAnswer } from './recorded-run';
import { RunEvents } from './run-events';
import { serveRunDoor } from './run-door';
import { promptReport } from './prompt-report';
import { promptFacts, turnRequest, type TurnEntry } from './turn-request';
import { RunUsage } from './usage';

/** A runtime whose stream breaks is asked so often in all, earlier attempts at the run included. */
export const EXECUTIONS_MAX = 3;
const FIRST_PAUSE_MS = 500;
const PAUSE_FACTOR = 4;
/** When a notice comes again whose owner cannot be reached, or whose session has another run. Milliseconds. */
const OWNER_AWAY_RETRY_MS = 5_000;
const STILL_ACTIVE_RETRY_MS = 2_000;
/** Of a conversation that does not fit and could not be summarised, this share is shown. */
const LEFT_SHARE = 0.5;
/** Summaries between the requests of one run; after them its requests are held down. */
const MID_TURN_COMPACTIONS_MAX = 8;
const OVERFLOW_TEXT = 'The conversation does not fit into the window of the model. Try again, shorten it with /compact, or begin anew with /new.';
/** A turn that nobody watches. */
const MUTED = { delta: () => undefined, answerEnds: () => undefined, tool: () => undefined };

export interface TurnDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly owner: AskOwner;
  readonly config: () => SessionConfig;
  readonly logger: Logger;
  /** `service:<name>/<instance>`, who calls; `<name>/<instance>`, who holds the run. */
  readonly caller: string;
  readonly runnerId: string;
  readonly heartbeatMs?: number;
  readonly firstPauseMs?: number;
  /** Default: the session tools that configuration allows. */
  readonly offerTools?: OfferTools;
}

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
  readonly #job: TurnJob;
  readonly #claim: Claim;
  readonly #begun: BeginTurnResponse;
  readonly #entry: TurnEntry;
  readonly #events: RunEvents;
  readonly #usage = new RunUsage();
  readonly #startedAtMs: number;
  #execution: Execution | undefined;
  /** As the runtime was offered them; undefined: it was asked nothing. */
  #toolsJson: readonly Uint8Array[] | undefined;
  #stopReason: string | undefined;
  /** The run is another's, or this process stops: nothing is written any more. */
  #isLeft = false;
  #steersCount = 0;
  #hasUnsteered = false;
  #wasCompacted = false;
  #midTurnCount = 0;
  /** An earlier attempt asked for the notes. */
  #hasFlushed = false;
  #branchBytes = 0;
  /** Holds requests down to this; undefined: as the model has it. */
  #contextTokens: number | undefined;
  /** Aborts what is waited for when the run is stopped or left. */
  readonly #leaving = new AbortController();

  constructor(deps: TurnDeps, job: TurnJob, claim: Claim, begun: BeginTurnResponse) {
    const { bus, subjects } = deps;
    this.#deps = deps;
    this.#job = job;
    this.#claim = claim;
    this.#begun = begun;
    this.#startedAtMs = bus.clock.nowMs();
    this.#entry = entryOf(begun);
    this.#events = new RunEvents(bus, subjects, { ...this.#place(), sessionKey: begun.sessionKey, epoch: begun.epoch });
  }

  async run(stopping: AbortSignal): Promise<void> {
    const leave = (): void => {
      this.#isLeft = true;
      this.#leaving.abort();
      this.#execution?.leave();
    };
    if (stopping.aborted) leave();
    stopping.addEventListener('abort', leave, { once: true });
    await this.#take(this.#begun);
    this.#claim.keep({ onLost: leave, onNews: (news) => this.#take(news) });
    try {
      this.#events.start(this.#startedAtMs);
      const done = await this.#execute();
      if (this.#isLeft) return;
      this.#tellEnd(done);
      const flushed = await this.#flushMemory(done);
      await this.#finish(done, [...this.#promptFields(), ...flushed]);
    } catch (error) {
      if (!isSuperseded(error)) throw error;
      this.#deps.logger.info('a turn is another attempt\'s by now', { agentId: this.#job.agentId, attempt: this.#job.attempt });
    } finally {
      stopping.removeEventListener('abort', leave);
      await this.#claim.end();
    }
  }

  /** A message that only this call knows. */
  async steer({ text, attachments }: SteerTurnRequest): Promise<boolean> {
    return (await this.#execution?.steer({ text, attachments, isRecorded: false })) ?? false;
  }

  /** What the owner has for the run. */
  async #take({ cancelled, cancelReason, steerMessages }: BeginTurnResponse): Promise<void> {
    this.#steersCount += steerMessages.length;
    for (const { text, attachments } of steerMessages) {
      const steered = await this.#execution?.steer({ text, attachments, isRecorded: true });
      this.#hasUnsteered ||= steered === false;
    }
    if (cancelled) this.stop(cancelReason ?? 'abort');
  }

  /** The run shall stop; the first reason stands. */
  stop(reason: string): void {
    this.#stopReason ??= reason;
    this.#leaving.abort();
    this.#execution?.cancel(reason);
  }

  /** Until the turn has an end of its own. */
  async #execute(): Promise<TurnDone> {
    const { bus, logger, firstPauseMs = FIRST_PAUSE_MS } = this.#deps;
    for (let execution = this.#job.attempt; ; ) {
      if (this.#stopReason !== undefined || this.#isLeft) return TurnDone.create({ outcome: 'aborted', stopReason: 'aborted' });
      const branch = await this.#readBranch();
      const own = linesAfter(branch, this.#begun.messageId);
      this.#hasFlushed ||= hasFlushLineAfter(branch, this.#begun.messageId);
      if (execution === this.#job.attempt) this.#usage.addRecorded(own);
      const answer = this.#hasUnsteered ? undefined : recordedAnswer(own);
      if (answer !== undefined) return TurnDone.create({ outcome: 'ok', text: answer, stopReason: 'stop' });
      this.#hasUnsteered = false;
      const end = await this.#executeOnce(branch);
      if (end.kind === 'done') {
        if (end.done.outcome === 'ok' && this.#hasUnsteered) continue;
        // Requests that are held down already are as small as they get.
        if (end.done.errorReason === MID_TURN_REASON && this.#contextTokens === undefined) {
          await this.#makeRoomMidTurn();
          continue;
        }
        if (end.done.errorReason === 'overflow' && (await this.#makeRoom(branch))) continue;
        return end.done.errorReason === 'overflow' ? { ...end.done, errorMessage: OVERFLOW_TEXT } : end.done;
      }
      const partial = this.#execution?.unrecorded ?? '';
      if (this.#isLeft) return TurnDone.create({ outcome: 'aborted' });
      if (this.#stopReason !== undefined) return await this.#stoppedWith(partial, this.#stopReason);
      logger.warn('a runtime broke off a turn', { agentId: this.#job.agentId, attempt: execution, err: end.error });
      if (execution >= EXECUTIONS_MAX) return TurnDone.create({ outcome: 'error', stopReason: 'error', errorReason: 'runtime', errorMessage: 'the runtime broke off the turn', ...(partial === '' ? {} : { text: partial }) });
      await sleep(bus.clock, firstPauseMs * PAUSE_FACTOR ** (execution - this.#job.attempt));
      execution += 1;
    }
  }

  /**
   * The request did not fit: the conversation is summarised, and where that is not possible the oldest
   * turns are left out of the next request. Each once.
   * @returns false: nothing is left to be tried
   */
  async #makeRoom(branch: ReadBranch): Promise<boolean> {
    const { agentId } = this.#job;
    if (!this.#wasCompacted) {
      this.#wasCompacted = true;
      if (await compactInline(this.#deps, agentId, this.#begun.sessionKey, this.#leaving.signal)) return true;
      if (this.#stopReason !== undefined || this.#isLeft) return true;
    }
    if (this.#contextTokens !== undefined) return false;
    this.#leaveOut(branch, 'overflow');
    return true;
  }

  /** The next request would not fit beside what tools have answered. As above, and a summary as often as it helps, within bounds. */
  async #makeRoomMidTurn(): Promise<void> {
    const { agentId } = this.#job;
    this.#midTurnCount += 1;
    if (this.#midTurnCount <= MID_TURN_COMPACTIONS_MAX && (await compactInline(this.#deps, agentId, this.#begun.sessionKey, this.#leaving.signal))) return;
    if (this.#stopReason === undefined && !this.#isLeft) this.#leaveOut(await this.#readBranch(), MID_TURN_REASON);
  }

  #leaveOut(branch: ReadBranch, reason: string): void {
    const tokens = contextTokens(branch.lines.map(({ line }) => line), estimateLineTokens);
    this.#contextTokens = Math.max(1, Math.floor(tokens * LEFT_SHARE));
    this.#deps.logger.warn('the oldest turns of a conversation are left out of its request', { agentId: this.#job.agentId, reason });
  }

  async #executeOnce(branch: ReadBranch, { isSilent: isMuted = false, ...own }: Partial<ExecuteTurnRequest> & { readonly isSilent?: boolean } = {}): Promise<ExecutionEnd> {
    const { bus, subjects, caller, config } = this.#deps;
    const { agentId } = this.#job;
    const execution = new Execution({
      bus,
      subjects,
      caller,
      events: isMuted ? MUTED : this.#events,
      append: (line) => this.#append(line),
      onStep: () => this.#claim.look(!isMuted),
      onUsage: (usage) => this.#usage.add(usage),
    });
    this.#execution = execution;
    const request = turnRequest({ config: config(), agentId, job: this.#job, begun: this.#begun, entry: this.#entry, contextTokens: this.#contextTokens, offerTools: this.#deps.offerTools });
    if (!isMuted) this.#toolsJson = request.toolsJson ?? [];
    const end = await execution.run(ExecuteTurnRequest.create({ ...request, ...own, sessionId: branch.sessionId, branch: inlineBranch(branch), tipId: branch.tipId }));
    // A message that came while it ended has not been answered.
    return end;
  }

  /** A branch that holds every message which the owner has handed over. */
  async #readBranch(): Promise<ReadBranch> {
    const { owner } = this.#deps;
    const { agentId } = this.#job;
    for (;;) {
      const before = this.#steersCount;
      const branch = await owner(agentId, (store) => readBranch(store, { agentId, key: this.#begun.sessionKey, signal: new AbortController().signal }));
      this.#branchBytes = branch.lines.reduce((sum, { text }) => sum + text.length, 0);
      if (this.#steersCount === before) return branch;
    }
  }

  /** The runtime had no last words: what was heard of it is kept. */
  async #stoppedWith(partial: string, reason: string): Promise<TurnDone> {
    if (partial !== '') {
      const line = assistantLine({ id: newLineId(), nowMs: this.#deps.bus.clock.nowMs(), content: [{ type: 'text', text: partial }], api: 'agent-runtime', provider: '', model: '', usage: undefined, stopReason: 'aborted', abort: { runId: this.#job.runId, origin: reason } });
      await this.#append(Buffer.from(line, 'utf8'));
    }
    return TurnDone.create({ outcome: 'aborted', stopReason: 'aborted', ...(partial === '' ? {} : { text: partial }) });
  }

  async #append(line: Uint8Array): Promise<void> {
    if (this.#isLeft) throw new SessionError('STALE_PLAN', 'the run is not this runner\'s any more');
    await appendRecord(this.#deps.owner, this.#claim, { ...this.#place(), key: this.#begun.sessionKey }, line);
  }

  #tellEnd(done: TurnDone): void {
    const aborted = done.outcome === 'aborted';
    this.#events.end({ startedAtMs: this.#startedAtMs, text: done.text ?? '', stopReason: aborted ? 'rpc' : (done.stopReason ?? 'stop'), aborted, errorMessage: failureOf(done) });
  }

  /** Notes before a compaction, where they are due. Nothing of it changes how the turn ended, and nobody is told of it. */
  async #flushMemory({ outcome }: TurnDone): Promise<FinishTurnRequest['fields']> {
    const { bus, config, logger } = this.#deps;
    const { agentId } = this.#job;
    const { sessionKey, settings } = this.#begun;
    if (outcome !== 'ok' || this.#stopReason !== undefined) return [];
    const facts = { config: config(), agentId, sessionKey, entry: this.#entry, usage: this.#usage.all(), transcriptBytes: this.#branchBytes, source: settings?.run?.source ?? '' };
    const flush = flushDue(facts, bus.clock.nowMs());
    if (flush === undefined) return [];
    const done = this.#hasFlushed ? TurnDone.create({ outcome: 'ok' }) : await this.#executeFlush(flush);
    const failure = done.outcome === 'ok' ? undefined : (done.errorReason ?? done.outcome);
    if (failure !== undefined) logger.warn('an agent did not save its notes before a compaction', { agentId, reason: failure });
    return flushFields(this.#entry, bus.clock.nowMs(), failure);
  }

  #promptFields(): FinishTurnRequest['fields'] {
    const tools = this.#toolsJson;
    return tools === undefined ? [] : [promptReport(promptFacts(this.#job.agentId, this.#begun, tools.length > 0), tools, this.#deps.bus.clock.nowMs())];
  }

  async #executeFlush({ prompt, systemPrompt, model }: Flush): Promise<TurnDone> {
    const { bus } = this.#deps;
    const messageId = newLineId();
    await this.#append(Buffer.from(flushLine(messageId, prompt, bus.clock.nowMs()), 'utf8'));
    const chosen = model === undefined ? {} : { modelProvider: model.provider, model: model.model };
    const tools = flushTools(this.#deps.config(), this.#begun.settings?.run?.deniedTools ?? []);
    const toolsJson = tools.map((tool) => Buffer.from(JSON.stringify(tool), 'utf8'));
    const own = { messageId, toolsJson, limits: TurnLimits.create({ timeoutMs: FLUSH_MS_MAX }), ...(systemPrompt === undefined ? {} : { systemPrompt }), ...chosen };
    const end = await this.#executeOnce(await this.#readBranch(), { ...own, isSilent: true });
    return end.kind === 'done' ? end.done : TurnDone.create({ outcome: 'error', errorReason: 'runtime' });
  }

  async #finish(done: TurnDone, fields: FinishTurnRequest['fields']): Promise<void> {
    const { owner } = this.#deps;
    const { agentId, runId, attempt } = this.#job;
    const { outcome, text, stopReason } = done;
    if (this.#isLeft) return;
    const idempotencyKey = this.#claim.nextKey();
    const request = FinishTurnRequest.create({ agentId, runId, attempt, outcome, usage: this.#usage.all(), text: text === undefined ? undefined : cutToBytes(text, TEXT_BYTES_MAX), stopReason, errorMessage: failureOf(done), fields });
    await owner(agentId, (store) => store.finishTurn(request, { idempotencyKey }));
  }

  #place(): { agentId: string; sessionId: string; runId: string; attempt: number } {
    const { agentId, runId, attempt } = this.#job;
    return { agentId, sessionId: this.#begun.sessionId, runId, attempt };
  }
}

/** Undefined: nothing failed. */
function failureOf({ outcome, errorMessage }: TurnDone): string | undefined {
  if (outcome === 'ok' || outcome === 'aborted') return undefined;
  return errorMessage ?? (outcome === 'timeout' ? 'the turn took too long' : 'the turn failed');
}

/** What is sent on of an answer: its beginning. The transcript has the whole. */
function cutToBytes(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text, 'utf8');
  return bytes.length <= bytesMax ? text : bytes.subarray(0, bytesMax).toString('utf8').replace(/\uFFFD+$/u, '');
}

function entryOf({ settings }: BeginTurnResponse): TurnEntry {
  const bytes = settings?.entryJson;
  if (bytes === undefined || bytes.length === 0) return {};
  const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
  return isJsonObject(value) ? value : {};
}

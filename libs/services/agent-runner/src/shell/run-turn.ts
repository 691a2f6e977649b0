/**
 * One turn from its notice to its end: claimed at the owner, executed by a runtime, written line by
 * line, finished. Everything that lasts is at the owner: a runner that dies here leaves an open run
 * whose claim ends, and the next attempt goes on from the transcript.
 *
 * Stops at once, without another word, when the run is another attempt's by now. Bounds:
 * EXECUTIONS_MAX where the runtime's stream breaks.
 */
import { ExecuteTurnRequest, FinishTurnRequest, TranscriptRecord, TurnDone, type BeginTurnResponse, type TurnJob } from '@sessions/contracts';
import { sleep, type Bus, type JobAnswer, type Subjects } from '@sessions/bus';
import { SessionError, TEXT_BYTES_MAX, blocksOf, contextTokens, estimateLineTokens, isJsonObject, toolCallsOf, type JsonObject, type SessionConfig, type TranscriptLine } from '@sessions/domain';
import type { Logger } from '@sessions/host';
import { isSuperseded, type AskOwner } from '../owner-calls';
import { readBranch, type ReadBranch } from '../read-branch';
import { assistantLine, newLineId } from '../runtime/record-lines';
import { appendRecord } from './append-record';
import { Claim } from './claim';
import { compactInline } from './compact-inline';
import { Execution, type ExecutionEnd } from './execution';
import type { OfferTools } from './offered-tools';
import { RunEvents } from './run-events';
import { serveRunDoor } from './run-door';
import { turnRequest, type TurnEntry } from './turn-request';
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
const OVERFLOW_TEXT = 'The conversation does not fit into the window of the model. Try again, shorten it with /compact, or begin anew with /new.';
/** JSON text of a branch that travels with the request. */
const BRANCH_BYTES_INLINE = 512 * 1024;

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
  const claim = new Claim(deps, job);
  let begun: BeginTurnResponse;
  try {
    begun = await claim.take();
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    if (error.reason === 'RUN_STILL_ACTIVE') return { retry: 'run-still-active', afterMs: STILL_ACTIVE_RETRY_MS };
    if (isSuperseded(error)) return { done: true };
    if (error.faces.retry === 'no') throw error;
    return { retry: error.reason.toLowerCase().replaceAll('_', '-'), afterMs: OWNER_AWAY_RETRY_MS };
  }
  const turn = new TurnRun(deps, job, claim, begun);
  await turn.run(stopping);
  return { done: true };
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
  #stopReason: string | undefined;
  /** The run is another's, or this process stops: nothing is written any more. */
  #isLeft = false;
  #steersCount = 0;
  #hasUnsteered = false;
  #wasCompacted = false;
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
    const { bus, subjects } = this.#deps;
    const leave = (): void => {
      this.#isLeft = true;
      this.#leaving.abort();
      this.#execution?.leave();
    };
    if (stopping.aborted) leave();
    stopping.addEventListener('abort', leave, { once: true });
    const door = await serveRunDoor(bus, subjects, this.#job.runId, {
      steer: async ({ text, attachments }) => (await this.#execution?.steer({ text, attachments, isRecorded: false })) ?? false,
      cancel: (reason) => this.#stop(reason),
    });
    await this.#take(this.#begun);
    this.#claim.keep({ onLost: leave, onNews: (news) => this.#take(news) });
    try {
      this.#events.start(this.#startedAtMs);
      const done = await this.#execute();
      if (!this.#isLeft) await this.#finish(done);
    } catch (error) {
      if (!isSuperseded(error)) throw error;
      this.#deps.logger.info('a turn is another attempt\'s by now', { agentId: this.#job.agentId, attempt: this.#job.attempt });
    } finally {
      stopping.removeEventListener('abort', leave);
      await this.#claim.end();
      await door.stop();
    }
  }

  /** What the owner has for the run. */
  async #take({ cancelled, cancelReason, steerMessages }: BeginTurnResponse): Promise<void> {
    this.#steersCount += steerMessages.length;
    for (const { text, attachments } of steerMessages) {
      const steered = await this.#execution?.steer({ text, attachments, isRecorded: true });
      this.#hasUnsteered ||= steered === false;
    }
    if (cancelled) this.#stop(cancelReason ?? 'abort');
  }

  #stop(reason: string): void {
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
      if (execution === this.#job.attempt) this.#usage.addRecorded(own);
      const answer = this.#hasUnsteered ? undefined : recordedAnswer(own);
      if (answer !== undefined) return TurnDone.create({ outcome: 'ok', text: answer, stopReason: 'stop' });
      this.#hasUnsteered = false;
      const end = await this.#executeOnce(branch);
      if (end.kind === 'done') {
        if (end.done.outcome === 'ok' && this.#hasUnsteered) continue;
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
    const tokens = contextTokens(branch.lines.map(({ line }) => line), estimateLineTokens);
    this.#contextTokens = Math.max(1, Math.floor(tokens * LEFT_SHARE));
    this.#deps.logger.warn('the oldest turns of a conversation are left out of its request', { agentId, reason: 'overflow' });
    return true;
  }

  async #executeOnce(branch: ReadBranch): Promise<ExecutionEnd> {
    const { bus, subjects, caller, config } = this.#deps;
    const { agentId } = this.#job;
    const execution = new Execution({
      bus,
      subjects,
      caller,
      events: this.#events,
      append: (line) => this.#append(line),
      onStep: () => this.#claim.look(true),
      onUsage: (usage) => this.#usage.add(usage),
    });
    this.#execution = execution;
    const request = turnRequest({ config: config(), agentId, job: this.#job, begun: this.#begun, entry: this.#entry, contextTokens: this.#contextTokens, offerTools: this.#deps.offerTools });
    const end = await execution.run(ExecuteTurnRequest.create({ ...request, sessionId: branch.sessionId, branch: inlineBranch(branch), tipId: branch.tipId }));
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

  async #finish({ outcome, text, stopReason, errorMessage }: TurnDone): Promise<void> {
    const { owner } = this.#deps;
    const { agentId, runId, attempt } = this.#job;
    const aborted = outcome === 'aborted';
    const failure = outcome === 'ok' || aborted ? undefined : (errorMessage ?? (outcome === 'timeout' ? 'the turn took too long' : 'the turn failed'));
    this.#events.end({ startedAtMs: this.#startedAtMs, text: text ?? '', stopReason: aborted ? 'rpc' : (stopReason ?? 'stop'), aborted, errorMessage: failure });
    const idempotencyKey = this.#claim.nextKey();
    const request = FinishTurnRequest.create({ agentId, runId, attempt, outcome, usage: this.#usage.all(), text: text === undefined ? undefined : cutToBytes(text, TEXT_BYTES_MAX), stopReason: stopReason ?? undefined, errorMessage: failure });
    await owner(agentId, (store) => store.finishTurn(request, { idempotencyKey }));
  }

  #place(): { agentId: string; sessionId: string; runId: string; attempt: number } {
    const { agentId, runId, attempt } = this.#job;
    return { agentId, sessionId: this.#begun.sessionId, runId, attempt };
  }
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

/** What the run has written so far. */
function linesAfter({ lines }: ReadBranch, messageId: string): readonly TranscriptLine[] {
  const at = lines.findIndex(({ line }) => line.id === messageId);
  return at === -1 ? [] : lines.slice(at + 1).map(({ line }) => line);
}

/** The answer that an earlier attempt wrote before it was lost; undefined: there is none yet. */
function recordedAnswer(own: readonly TranscriptLine[]): string | undefined {
  const last = own.findLast(({ role }) => role === 'assistant' || role === 'user' || role === 'toolResult');
  const message: JsonObject | undefined = last?.message;
  if (last?.role !== 'assistant' || message === undefined || toolCallsOf(message).length > 0) return undefined;
  if (message['stopReason'] !== 'stop' && message['stopReason'] !== 'length') return undefined;
  return blocksOf(message).flatMap((block) => (isJsonObject(block) && block['type'] === 'text' && typeof block['text'] === 'string' ? [block['text']] : [])).join('');
}

/** Empty when it is larger than a message: the runtime reads it then. */
function inlineBranch({ lines }: ReadBranch): TranscriptRecord[] {
  const bytes = lines.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  if (bytes > BRANCH_BYTES_INLINE) return [];
  return lines.map(({ line, text }, at) => TranscriptRecord.create({ recordId: line.id, lineNumber: at + 1, lineJson: Buffer.from(text, 'utf8'), type: line.type, role: line.role }));
}

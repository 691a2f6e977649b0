/**
 * The executions of one turn: a branch is read, a runtime executes it, and again where a message came
 * too late, the request did not fit or the runtime broke off, until the turn has an end of its own.
 * Bounds: EXECUTIONS_MAX where the runtime's stream breaks.
 */
import { ExecuteTurnRequest, TurnDone, type BeginTurnResponse, type SteerTurnRequest } from '@sessions/contracts';
import { sleep } from '@sessions/bus';
import { SessionError } from '@sessions/domain';
import { readBranch, type ReadBranch } from '../read-branch';
import { MID_TURN_REASON } from '../runtime/chat-loop';
import { modelsOf } from '../runtime/default-runtime';
import { assistantLine, newLineId } from '../runtime/record-lines';
import { appendRecord } from './append-record';
import type { Claim } from './claim';
import { Execution, type ExecutionEnd } from './execution';
import { hasFlushLineAfter, inlineBranch, linesAfter, recordedAnswer } from './recorded-run';
import { RequestRoom } from './request-room';
import type { RunEvents } from './run-events';
import { placeOf, type BegunTurn, type TurnDeps } from './turn-deps';
import { turnRequest } from './turn-request';
import { ALREADY_ANSWERED, compiledData, metadataData, submittedData } from './trajectory-notes';
import type { TurnStop } from './turn-stop';
import type { TurnTrajectory } from './turn-trajectory';
import { RunUsage } from './usage';

/** A runtime whose stream breaks is asked so often in all, earlier attempts at the run included. */
export const EXECUTIONS_MAX = 3;
const FIRST_PAUSE_MS = 500;
const PAUSE_FACTOR = 4;
const OVERFLOW_TEXT = 'The conversation does not fit into the window of the model. Try again, shorten it with /compact, or begin anew with /new.';
/** A turn that nobody watches. */
const MUTED = { delta: () => undefined, answerEnds: () => undefined, tool: () => undefined };
const UNRECORDED = { note: () => undefined, use: () => undefined };

export interface ExecutionParts {
  readonly claim: Claim;
  readonly events: RunEvents;
  readonly stop: TurnStop;
  readonly trajectory: TurnTrajectory;
}

export class Executions {
  readonly #deps: TurnDeps;
  readonly #turn: BegunTurn;
  readonly #claim: Claim;
  readonly #events: RunEvents;
  readonly #stop: TurnStop;
  readonly #trajectory: TurnTrajectory;
  readonly #room: RequestRoom;
  readonly #usage = new RunUsage();
  #execution: Execution | undefined;
  #toolsJson: readonly Uint8Array[] | undefined;
  #steersCount = 0;
  #hasUnsteered = false;
  /** An earlier attempt asked for the notes. */
  #hasFlushed = false;
  #branchBytes = 0;

  constructor(deps: TurnDeps, turn: BegunTurn, { claim, events, stop, trajectory }: ExecutionParts) {
    this.#deps = deps;
    this.#turn = turn;
    this.#claim = claim;
    this.#events = events;
    this.#stop = stop;
    this.#trajectory = trajectory;
    this.#room = new RequestRoom(deps, turn, stop);
  }

  /** What they cost so far, by model. */
  get usage(): RunUsage {
    return this.#usage;
  }

  /** As the runtime was offered them; undefined: it was asked nothing. */
  get toolsJson(): readonly Uint8Array[] | undefined {
    return this.#toolsJson;
  }

  get hasFlushed(): boolean {
    return this.#hasFlushed;
  }

  /** Characters of the branch that was read last. */
  get branchBytes(): number {
    return this.#branchBytes;
  }

  /** Until the turn has an end of its own. */
  async run(): Promise<TurnDone> {
    const { bus, logger, firstPauseMs = FIRST_PAUSE_MS } = this.#deps;
    for (let execution = this.#turn.job.attempt; ; ) {
      if (!this.#stop.goesOn) return TurnDone.create({ outcome: 'aborted', stopReason: 'aborted' });
      const branch = await this.#readBranch();
      const own = linesAfter(branch, this.#turn.begun.messageId);
      this.#hasFlushed ||= hasFlushLineAfter(branch, this.#turn.begun.messageId);
      if (execution === this.#turn.job.attempt) this.#usage.addRecorded(own);
      const answer = this.#hasUnsteered ? undefined : recordedAnswer(own);
      if (answer !== undefined) {
        this.#trajectory.note('prompt.skipped', { reason: ALREADY_ANSWERED });
        return TurnDone.create({ outcome: 'ok', text: answer, stopReason: 'stop' });
      }
      this.#hasUnsteered = false;
      const end = await this.#once(branch);
      if (end.kind === 'done') {
        if (end.done.outcome === 'ok' && this.#hasUnsteered) continue;
        // Requests that are held down already are as small as they get.
        if (end.done.errorReason === MID_TURN_REASON && this.#room.contextTokens === undefined) {
          await this.#room.makeMidTurn(() => this.#readBranch());
          continue;
        }
        if (end.done.errorReason === 'overflow' && (await this.#room.make(branch))) continue;
        return end.done.errorReason === 'overflow' ? { ...end.done, errorMessage: OVERFLOW_TEXT } : end.done;
      }
      const partial = this.#execution?.unrecorded ?? '';
      if (this.#stop.isLeft) return TurnDone.create({ outcome: 'aborted' });
      if (this.#stop.reason !== undefined) return await this.#stoppedWith(partial, this.#stop.reason);
      logger.warn('a runtime broke off a turn', { agentId: this.#turn.job.agentId, attempt: execution, err: end.error });
      if (execution >= EXECUTIONS_MAX) return TurnDone.create({ outcome: 'error', stopReason: 'error', errorReason: 'runtime', errorMessage: 'the runtime broke off the turn', ...(partial === '' ? {} : { text: partial }) });
      await sleep(bus.clock, firstPauseMs * PAUSE_FACTOR ** (execution - this.#turn.job.attempt));
      execution += 1;
    }
  }

  /** One more that nobody hears of, with members of its own. */
  async runSilently(own: Partial<ExecuteTurnRequest>): Promise<ExecutionEnd> {
    return this.#once(await this.#readBranch(), { ...own, isSilent: true });
  }

  /** A message that only this call knows. */
  async steer({ text, attachments }: SteerTurnRequest): Promise<boolean> {
    return (await this.#execution?.steer({ text, attachments, isRecorded: false })) ?? false;
  }

  /** The run shall stop; the first reason stands. */
  stop(reason: string): void {
    this.#stop.stop(reason);
    this.#execution?.cancel(reason);
  }

  /** Ends it at once, without a word. */
  leave(): void {
    this.#stop.leave();
    this.#execution?.leave();
  }

  /** What the owner has for the run. */
  async take({ cancelled, cancelReason, steerMessages }: BeginTurnResponse): Promise<void> {
    this.#steersCount += steerMessages.length;
    for (const { text, attachments } of steerMessages) {
      const steered = await this.#execution?.steer({ text, attachments, isRecorded: true });
      this.#hasUnsteered ||= steered === false;
    }
    if (cancelled) this.stop(cancelReason ?? 'abort');
  }

  /** Makes a line durable. @throws when the run is not this runner's any more */
  async append(line: Uint8Array): Promise<void> {
    if (this.#stop.isLeft) throw new SessionError('STALE_PLAN', 'the run is not this runner\'s any more');
    await appendRecord(this.#deps.owner, this.#claim, { ...placeOf(this.#turn), key: this.#turn.begun.sessionKey }, line);
  }

  async #once(branch: ReadBranch, { isSilent: isMuted = false, ...own }: Partial<ExecuteTurnRequest> & { readonly isSilent?: boolean } = {}): Promise<ExecutionEnd> {
    const { bus, subjects, caller, config } = this.#deps;
    const { agentId } = this.#turn.job;
    const execution = new Execution({
      bus,
      subjects,
      caller,
      events: isMuted ? MUTED : this.#events,
      trajectory: isMuted ? UNRECORDED : this.#trajectory,
      append: (line) => this.append(line),
      onStep: () => this.#claim.look(!isMuted),
      onUsage: (usage) => this.#usage.add(usage),
    });
    this.#execution = execution;
    const request = turnRequest({ config: config(), agentId, job: this.#turn.job, begun: this.#turn.begun, entry: this.#turn.entry, contextTokens: this.#room.contextTokens, offerTools: this.#deps.offerTools });
    const whole = ExecuteTurnRequest.create({ ...request, ...own, sessionId: branch.sessionId, branch: inlineBranch(branch), tipId: branch.tipId });
    if (!isMuted) {
      this.#noteRequest(whole, branch);
      this.#toolsJson = request.toolsJson ?? [];
    }
    return execution.run(whole);
  }

  #noteRequest(request: ExecuteTurnRequest, branch: ReadBranch): void {
    const trajectory = this.#trajectory;
    if (!trajectory.isOn) return;
    const [model] = modelsOf(this.#deps.config(), request);
    trajectory.use(model ?? {});
    if (this.#toolsJson === undefined) trajectory.note('trace.metadata', metadataData(this.#turn, request, model ?? {}, this.#deps.bus.clock.nowMs()));
    trajectory.note('context.compiled', compiledData(request, branch));
    trajectory.note('prompt.submitted', submittedData(request, branch));
  }

  /** A branch that holds every message which the owner has handed over. */
  async #readBranch(): Promise<ReadBranch> {
    const { owner } = this.#deps;
    const { agentId } = this.#turn.job;
    for (;;) {
      const before = this.#steersCount;
      const branch = await owner(agentId, (store) => readBranch(store, { agentId, key: this.#turn.begun.sessionKey, signal: new AbortController().signal }));
      this.#branchBytes = branch.lines.reduce((sum, { text }) => sum + text.length, 0);
      if (this.#steersCount === before) return branch;
    }
  }

  /** The runtime had no last words: what was heard of it is kept. */
  async #stoppedWith(partial: string, reason: string): Promise<TurnDone> {
    if (partial !== '') {
      const line = assistantLine({ id: newLineId(), nowMs: this.#deps.bus.clock.nowMs(), content: [{ type: 'text', text: partial }], api: 'agent-runtime', provider: '', model: '', usage: undefined, stopReason: 'aborted', abort: { runId: this.#turn.job.runId, origin: reason } });
      await this.append(Buffer.from(line, 'utf8'));
    }
    return TurnDone.create({ outcome: 'aborted', stopReason: 'aborted', ...(partial === '' ? {} : { text: partial }) });
  }
}

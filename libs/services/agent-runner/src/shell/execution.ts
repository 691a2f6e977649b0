/**
 * One execution of a turn by whatever runtime is there: its items are taken in order, records are
 * durable before the next item is looked at, and the runtime is told so. Ends with the runtime's own
 * end, or as broken when its stream ends without one.
 */
import { randomUUID } from 'node:crypto';
import { AgentRuntimeService, CancelTurnRequest, ConfirmRecordsRequest, ExecuteTurnRequest, SteerTurnRequest, type ExecuteTurnResponse, type TokenUsage, type TurnDone } from '@sessions/contracts';
import { createClient, type Bus, type Client, type Subjects } from '@sessions/bus';
import { parseTranscriptLine, resultCallId, toolCallsOf, type JsonObject, type SessionError } from '@sessions/domain';
import { persist } from '../persist';
import type { SteerMessage } from '../runtime/turn-control';
import type { RunEvents } from './run-events';
import { answeredData } from './trajectory-notes';
import type { TurnTrajectory } from './turn-trajectory';

/** A runtime that was told to stop gets this long to say its last words. Milliseconds. */
export const LAST_WORDS_MS = 5_000;
/** Longest silence of a runtime between two items, as long as it is there at all: what the longest turn of the built-in one may take, and a minute. Milliseconds. */
export const SILENCE_MS_MAX = 3_660_000;
const TELL_MS = 5_000;
const CONFIRM_MS = 30_000;

export interface ExecutionDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly caller: string;
  readonly events: Pick<RunEvents, 'delta' | 'answerEnds' | 'tool'>;
  /** What of it is recorded beside the transcript. */
  readonly trajectory: Pick<TurnTrajectory, 'note' | 'use'>;
  /** Makes a line durable. @throws when the run is not this runner's any more */
  readonly append: (line: Uint8Array) => Promise<void>;
  /** A step is over: the model has nothing left to be answered by a tool. Messages may come in here. */
  readonly onStep: () => Promise<void>;
  readonly onUsage: (usage: TokenUsage) => void;
}

export type ExecutionEnd = { readonly kind: 'done'; readonly done: TurnDone } | { readonly kind: 'broken'; readonly error: unknown };

export class Execution {
  readonly id = randomUUID();
  readonly #deps: ExecutionDeps;
  readonly #leave = new AbortController();
  readonly #runtime: Client<typeof AgentRuntimeService>;
  readonly #toolNames = new Map<string, string>();
  readonly #openCallIds = new Set<string>();
  #recordsCount = 0;
  /** Words that no record holds yet. */
  #unrecorded = '';
  #isCancelled = false;
  #cancelLastWords = (): void => undefined;

  constructor(deps: ExecutionDeps) {
    this.#deps = deps;
    const { bus, subjects, caller } = deps;
    this.#runtime = createClient(bus, AgentRuntimeService, { caller, subject: (method) => (method === 'ExecuteTurn' ? subjects.runtime(method) : subjects.run(this.id, method)) });
  }

  /** What was said and not recorded: of an execution that did not end by itself. */
  get unrecorded(): string {
    return this.#unrecorded;
  }

  /** @throws what `append` throws */
  async run(request: ExecuteTurnRequest): Promise<ExecutionEnd> {
    try {
      const items = this.#runtime.executeTurn({ ...request, executionId: this.id }, { signal: this.#leave.signal, timeoutMs: SILENCE_MS_MAX })[Symbol.asyncIterator]();
      for (;;) {
        let next: IteratorResult<ExecuteTurnResponse>;
        try {
          next = await items.next();
        } catch (error) {
          return { kind: 'broken', error };
        }
        if (next.done === true) return { kind: 'broken', error: new Error('the stream of the runtime has no end') };
        const done = await this.#take(next.value);
        if (done !== undefined) {
          await items.return?.();
          return { kind: 'done', done };
        }
      }
    } finally {
      this.#cancelLastWords();
    }
  }

  /** False: it takes none, or is over. */
  async steer({ text, attachments, isRecorded: recorded }: SteerMessage): Promise<boolean> {
    const request = SteerTurnRequest.create({ runId: this.id, text, attachments: [...attachments], recorded });
    return this.#runtime.steerTurn(request, { timeoutMs: TELL_MS, idempotencyKey: randomUUID() }).then(({ steered }) => steered, () => false);
  }

  /** Lets it say its last words; once. */
  cancel(reason: string): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#cancelLastWords = this.#deps.bus.clock.startTimer(LAST_WORDS_MS, () => this.leave());
    this.#runtime.cancelTurn(CancelTurnRequest.create({ runId: this.id, reason }), { timeoutMs: TELL_MS, idempotencyKey: randomUUID() }).catch(() => this.leave());
  }

  /** Ends it at once, without a word. */
  leave(): void {
    this.#leave.abort(new Error('the runner left the execution'));
  }

  async #take({ item }: ExecuteTurnResponse): Promise<TurnDone | undefined> {
    const { events, append, onUsage, trajectory } = this.#deps;
    switch (item?.$case) {
      case 'assistantDelta':
        if (item.value.kind !== 'text') return undefined;
        this.#unrecorded += item.value.delta;
        events.delta(item.value.delta);
        return undefined;
      case 'record':
        // Its last words before its line: whoever shows both has nothing to take back.
        if (this.#unrecorded !== '') events.answerEnds();
        await append(item.value);
        this.#recordsCount += 1;
        this.#unrecorded = '';
        this.#noteLine(item.value);
        if (this.#openCallIds.size === 0) await this.#deps.onStep();
        this.#confirm();
        return undefined;
      case 'toolStart':
        this.#toolNames.set(item.value.toolCallId, item.value.name);
        events.tool('start', item.value.toolCallId, item.value.name, item.value.argumentsJson);
        // Arguments and results are in the transcript.
        trajectory.note('tool.call', { name: item.value.name, toolCallId: item.value.toolCallId });
        return undefined;
      case 'toolUpdate':
        events.tool('update', item.value.toolCallId, this.#toolNames.get(item.value.toolCallId) ?? '', item.value.dataJson);
        return undefined;
      case 'toolResult':
        events.tool('result', item.value.toolCallId, this.#toolNames.get(item.value.toolCallId) ?? '', item.value.resultJson, item.value.ok);
        trajectory.note('tool.result', { name: this.#toolNames.get(item.value.toolCallId) ?? '', toolCallId: item.value.toolCallId, isError: !item.value.ok });
        return undefined;
      case 'usage':
        onUsage(item.value);
        return undefined;
      case 'done':
        return item.value;
      case undefined:
        return undefined;
    }
  }

  #noteLine(line: Uint8Array): void {
    const parsed = parseTranscriptLine(Buffer.from(line).toString('utf8'), 1);
    if (!parsed.ok) return;
    if (parsed.role === 'assistant' && parsed.message !== undefined) this.#noteAnswer(parsed.message);
    for (const { id } of toolCallsOf(parsed.message)) this.#openCallIds.add(id);
    this.#openCallIds.delete(resultCallId(parsed.message) ?? '');
  }

  #noteAnswer(message: JsonObject): void {
    const { provider, model, api } = message;
    const name = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
    this.#deps.trajectory.use({ provider: name(provider), model: name(model), api: name(api) });
    this.#deps.trajectory.note('model.completed', answeredData(message));
  }

  /** A runtime need not want to know. */
  #confirm(): void {
    const { bus } = this.#deps;
    const request = ConfirmRecordsRequest.create({ runId: this.id, recordsCount: this.#recordsCount });
    const idempotencyKey = randomUUID();
    const canPass = ({ reason }: SessionError): boolean => reason === 'DEADLINE' || reason === 'OUTCOME_UNKNOWN';
    persist(() => this.#runtime.confirmRecords(request, { timeoutMs: TELL_MS, idempotencyKey, signal: this.#leave.signal }), { clock: bus.clock, deadlineAtMs: bus.clock.nowMs() + CONFIRM_MS, signal: this.#leave.signal, canPass }).catch(() => undefined);
  }
}

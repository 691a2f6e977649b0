/**
 * A turn: the model is asked, what it says is told as it comes, the tools that it calls are called,
 * and it is asked again, until it has nothing more to call, somebody stops it, or a limit is reached.
 *
 * Each answer and each result is a line of the transcript the moment it is whole. A tool is called
 * once the line with its call is durable. A turn that finds calls of its own run without results
 * calls them again under their old names first. So a turn that was broken off anywhere goes on from
 * its transcript.
 */
import { ExecuteTurnRequest, TokenUsage, type ExecuteTurnResponse } from '@sessions/contracts';
import { TURN_SENDS_MAX, TURN_SENDS_TEXT, agentSettings, asAgentId, contextTokensFor, estimateLineTokens, isJsonObject, isMidTurnDue, isSilentText, shownTokens, parseTranscriptLine, recordedArguments, toolCallsOf, blocksOf, resultCallId, type JsonObject, type ModelRef, type SessionConfig, type TranscriptLine } from '@sessions/domain';
import { ANSWER_CHARS_MAX, ModelFailure, type ChatTool, type ChatUsage, type RetryLimits, type StopReason, type ThinkingEffort } from '@sessions/llm';
import { askModels } from './ask-models';
import type { InvokeTool, ToolAnswer, ToolCall } from './invoke-tool';
import { assistantLine, messageLine, newLineId, recordedStop, toolResultLine, type RecordedStop } from './record-lines';
import { lastCallAtMs, requestContext } from './request-context';
import type { SteerMessage, TurnControl } from './turn-control';

/** Answers of the model in one turn, where the request sets no other bound. */
export const STEPS_MAX = 40;

export type TurnItem = NonNullable<ExecuteTurnResponse['item']>;

export interface ChatLoop {
  readonly config: SessionConfig;
  readonly request: ExecuteTurnRequest;
  readonly path: readonly TranscriptLine[];
  readonly models: readonly ModelRef[];
  readonly tools: readonly ChatTool[];
  readonly systemPrompt: string;
  readonly thinking: ThinkingEffort | undefined;
  readonly control: TurnControl;
  readonly invokeTool: InvokeTool;
  readonly nowMs: () => number;
  readonly retries?: RetryLimits;
  readonly onRetry?: (failure: ModelFailure) => void;
}

/** What a call beyond the sends of a turn is answered. */
const BEYOND_SENDS: ToolAnswer = { text: JSON.stringify({ status: 'forbidden', error: TURN_SENDS_TEXT }), ok: false, endsTurn: false };

/** Calls that start something in another session. */
const isSend = ({ name, arguments: given }: ToolCall): boolean => name === 'sessions_send' || name === 'sessions_spawn' || (name === 'subagents' && given['action'] === 'steer');

/** Of a turn that ended before its next request, which would not fit: its caller makes room and has it go on. */
export const MID_TURN_REASON = 'mid-turn';

/** Items in order; the last is `done`. Throws only what is a fault of ours. */
export async function* runChatLoop(loop: ChatLoop): AsyncGenerator<TurnItem> {
  yield* new Turn(loop).run();
}

interface Answer {
  text: string;
  thinking: string;
  signature: string | undefined;
  readonly calls: ToolCall[];
  usage: ChatUsage | undefined;
  stopReason: StopReason | undefined;
  provider: string;
  model: string;
  api: string;
}

class Turn {
  readonly #loop: ChatLoop;
  readonly #path: TranscriptLine[];
  readonly #lastCallAtMs: number | undefined;
  #recordsCount = 0;

  constructor(loop: ChatLoop) {
    this.#loop = loop;
    this.#path = [...loop.path];
    this.#lastCallAtMs = lastCallAtMs(loop.path);
  }

  async *run(): AsyncGenerator<TurnItem> {
    const { control, request } = this.#loop;
    let text = '';
    /** Answers that were whole when somebody said more: they are as much of the run's answer as the last one. */
    const earlier: string[] = [];
    const answered = (last: string): string => wholeAnswer([...earlier, last]);
    try {
      const open = openCalls(this.#path, request.messageId);
      if (open !== undefined && (yield* this.#callTools(open.calls, open.lineId))) return yield this.#done('ok', text, 'stop');
      const stepsMax = request.limits?.maxSteps ?? STEPS_MAX;
      for (let step = 1; step <= stepsMax; step += 1) {
        await control.confirmed(this.#recordsCount);
        yield* this.#takeSteers();
        if (this.#isFull()) return yield this.#done('error', text, 'error', { reason: MID_TURN_REASON, message: 'the results of the tools do not fit beside the conversation' });
        const answer = emptyAnswer(this.#loop.models[0]);
        let failure: unknown;
        try {
          yield* this.#ask(answer);
        } catch (error) {
          failure = error;
        }
        if (control.stopReason !== undefined) {
          if (answer.text !== '') yield this.#record(this.#lineOf(answer, [], 'aborted', control.stopReason));
          return yield this.#stopped(answer.text);
        }
        if (failure !== undefined) {
          if (answer.text !== '') yield this.#record(this.#lineOf(answer, [], 'error'));
          return yield this.#failed(failure, answer.text);
        }
        text = answer.text;
        const calls = answer.stopReason === 'length' ? [] : answer.calls;
        const lineId = newLineId();
        const stop = recordedStop(answer.stopReason ?? 'other');
        if (text !== '' || calls.length > 0 || answer.thinking !== '') yield this.#record(this.#lineOf(answer, calls, calls.length > 0 ? 'toolUse' : stop, undefined, lineId));
        if (answer.usage !== undefined) yield { $case: 'usage', value: tokenUsage(answer, answer.usage) };
        if (answer.stopReason === 'refused') return yield this.#done('error', text, stop, { reason: 'refused', message: 'the model refused to answer' });
        if (calls.length === 0) {
          await control.confirmed(this.#recordsCount);
          if (!control.hasSteers) return yield this.#done('ok', answered(text), stop);
          earlier.push(text);
          continue;
        }
        if (yield* this.#callTools(calls.map((call, index) => ({ call, index })), lineId)) return yield this.#done('ok', answered(text), 'stop');
        if (control.stopReason !== undefined) return yield this.#stopped('');
      }
      yield this.#done('error', text, 'error', { reason: 'steps', message: `the turn has no end after ${String(stepsMax)} answers of the model` });
    } finally {
      control.end();
    }
  }

  /**
   * The precheck within a turn: after results of tools the next request would reach into the reserve. A
   * caller that holds the request down has made what room there is.
   */
  #isFull(): boolean {
    const { config, request, models } = this.#loop;
    if (this.#path.at(-1)?.role !== 'toolResult' || request.limits?.contextTokens !== undefined) return false;
    const agent = asAgentId(request.agentId);
    return isMidTurnDue({ settings: agentSettings(config, agent).compaction, windowTokens: contextTokensFor(config, agent, models[0]), tokens: shownTokens(this.#path, estimateLineTokens) });
  }

  async *#ask(answer: Answer): AsyncGenerator<TurnItem> {
    const { config, request, models, tools, systemPrompt, thinking, control, nowMs, retries, onRetry } = this.#loop;
    const { maxOutputTokens: maxTokens, contextTokens } = request.limits ?? {};
    const requestFor = (model: ModelRef) => {
      const { messages } = requestContext({ config, agentId: request.agentId, model, path: this.#path, nowMs: nowMs(), lastCallAtMs: this.#lastCallAtMs, contextTokens });
      return { system: systemPrompt, messages, tools, ...(maxTokens === undefined ? {} : { maxTokens }), ...(thinking === undefined ? {} : { thinking }) };
    };
    const words = askModels({ config, models, requestFor, signal: control.signal, ...(retries === undefined ? {} : { retries }), ...(onRetry === undefined ? {} : { onRetry }) });
    for await (const { model, event } of words) {
      Object.assign(answer, { provider: model.provider, model: model.model, api: model.api });
      if (event.type === 'text') {
        const room = ANSWER_CHARS_MAX - answer.text.length;
        const delta = event.text.slice(0, room);
        if (delta === '') continue;
        answer.text += delta;
        yield { $case: 'assistantDelta', value: { delta, kind: 'text' } };
      } else if (event.type === 'thinking') {
        answer.thinking = (answer.thinking + event.text).slice(0, ANSWER_CHARS_MAX);
        answer.signature = event.signature ?? answer.signature;
        if (event.text !== '') yield { $case: 'assistantDelta', value: { delta: event.text, kind: 'thinking' } };
      } else if (event.type === 'tool-call') {
        answer.calls.push(withOwnId(event, answer.calls));
      } else {
        answer.usage = event.usage;
        answer.stopReason = event.stopReason;
      }
    }
  }

  /** @returns true when the turn ends with them */
  async *#callTools(calls: readonly OpenCall[], lineId: string): AsyncGenerator<TurnItem, boolean> {
    const { control, invokeTool, nowMs } = this.#loop;
    let endsTurn = false;
    await control.confirmed(this.#recordsCount);
    for (const { call, index } of calls) {
      if (control.signal.aborted) return false;
      yield { $case: 'toolStart', value: { toolCallId: call.id, name: call.name, argumentsJson: Buffer.from(JSON.stringify(recordedArguments(call.name, call.arguments))) } };
      const answer = this.#isBeyondSends(call, lineId, index) ? BEYOND_SENDS : await invokeTool(call, { lineId, index }, control.signal).catch((error: unknown) => {
        if (control.signal.aborted) return undefined;
        throw error;
      });
      // Stopped within the call: its result is that it has none.
      const { text, ok } = answer ?? { text: JSON.stringify({ status: 'error', error: 'the turn was stopped' }), ok: false };
      yield this.#record(toolResultLine({ id: newLineId(), nowMs: nowMs(), callId: call.id, name: call.name, text, isError: !ok }));
      yield { $case: 'toolResult', value: { toolCallId: call.id, ok, resultJson: Buffer.from(asJson(text)) } };
      endsTurn ||= answer?.endsTurn === true;
    }
    return endsTurn;
  }

  /** Counted in the transcript, so that earlier attempts at the run count too; by place, since a model may give each of its answers the same ids. */
  #isBeyondSends(call: ToolCall, lineId: string, index: number): boolean {
    if (!isSend(call)) return false;
    const from = this.#path.findIndex(({ id }) => id === this.#loop.request.messageId);
    const calls = this.#path.slice(from + 1).flatMap(({ id: line, role, message }) => (role === 'assistant' && message !== undefined ? toolCallsOf(message).map(({ id, name }, place) => ({ line, place, call: { id, name, arguments: argumentsOf(message, id) } })) : []));
    return calls.filter((each) => isSend(each.call)).findIndex(({ line, place }) => line === lineId && place === index) >= TURN_SENDS_MAX;
  }

  #lineOf(answer: Answer, calls: readonly ToolCall[], stopReason: RecordedStop, stopped?: string, id = newLineId()): string {
    const { text, thinking, signature, usage, provider, model, api } = answer;
    const content: JsonObject[] = [
      ...(thinking === '' ? [] : [{ type: 'thinking', thinking, ...(signature === undefined ? {} : { thinkingSignature: signature }) }]),
      ...(text === '' ? [] : [{ type: 'text', text }]),
      ...calls.map(({ id: callId, name, arguments: given }) => ({ type: 'toolCall', id: callId, name, arguments: recordedArguments(name, given) })),
    ];
    const abort = stopped === undefined ? {} : { abort: { runId: this.#loop.request.runId, origin: stopped } };
    return assistantLine({ id, nowMs: this.#loop.nowMs(), content, api, provider, model, usage, stopReason, ...abort });
  }

  *#takeSteers(): Generator<TurnItem> {
    for (const message of this.#loop.control.takeSteers()) {
      const line = steerLine(message, this.#loop.nowMs());
      if (message.isRecorded) this.#see(line);
      else yield this.#record(line);
    }
  }

  #see(line: string): void {
    const parsed = parseTranscriptLine(line, this.#path.length + 1);
    if (parsed.ok) this.#path.push(parsed);
  }

  #record(line: string): TurnItem {
    this.#recordsCount += 1;
    this.#see(line);
    return { $case: 'record', value: Buffer.from(line, 'utf8') };
  }

  #stopped(text: string): TurnItem {
    const isLate = this.#loop.control.stopReason === 'timeout';
    return this.#done(isLate ? 'timeout' : 'aborted', text, 'aborted', isLate ? { reason: 'timeout', message: 'the turn took too long' } : undefined);
  }

  #failed(failure: unknown, text: string): TurnItem {
    if (!(failure instanceof ModelFailure)) throw failure;
    const isSilent = failure.kind === 'timeout';
    return this.#done(isSilent ? 'timeout' : 'error', text, 'error', { reason: failure.kind, message: failure.message });
  }

  #done(outcome: string, text: string, stopReason: string, error?: { readonly reason: string; readonly message: string }): TurnItem {
    return { $case: 'done', value: { outcome, stopReason, text: text === '' ? undefined : text, errorReason: error?.reason, errorMessage: error?.message } };
  }
}

/** What is to be kept silent is left out where something else was said; alone it stays as it is. */
function wholeAnswer(texts: readonly string[]): string {
  const told = texts.filter((text) => text.trim() !== '' && !isSilentText(text));
  return told.length === 0 ? (texts.at(-1) ?? '') : told.join('\n\n');
}

interface OpenCall {
  readonly call: ToolCall;
  /** Of the call among those of its line. */
  readonly index: number;
}

/** Calls at the tip that the run made before it was broken off and nobody answered. */
export function openCalls(path: readonly TranscriptLine[], messageId: string): { readonly lineId: string; readonly calls: readonly OpenCall[] } | undefined {
  const from = path.findIndex((line) => line.id === messageId);
  const at = path.findLastIndex((line) => line.role === 'assistant');
  const line = path[at];
  if (from === -1 || at <= from || line?.id === undefined || line.message === undefined) return undefined;
  if (line.message['stopReason'] === 'aborted' || line.message['stopReason'] === 'error') return undefined;
  const answered = new Set(path.slice(at + 1).map((each) => resultCallId(each.message)));
  const calls = toolCallsOf(line.message).map(({ id, name }, index) => ({ call: { id, name, arguments: argumentsOf(line.message, id) }, index }));
  const open = calls.filter(({ call }) => !answered.has(call.id));
  return open.length === 0 ? undefined : { lineId: line.id, calls: open };
}

function argumentsOf(message: JsonObject | undefined, id: string): JsonObject {
  const block = (message === undefined ? [] : blocksOf(message)).find((each) => isJsonObject(each) && each['type'] === 'toolCall' && each['id'] === id);
  const given = isJsonObject(block) ? block['arguments'] : undefined;
  return isJsonObject(given) ? given : {};
}

/** An id that the model gave twice, or not at all, would pair a result with the wrong call. */
function withOwnId({ id, name, arguments: given }: ToolCall, before: readonly ToolCall[]): ToolCall {
  const isOwn = id !== '' && before.every((call) => call.id !== id);
  return { id: isOwn ? id : `call_${newLineId()}`, name: name === '' ? 'unnamed' : name, arguments: given };
}

function steerLine({ text, attachments }: SteerMessage, nowMs: number): string {
  const images = attachments.flatMap(({ mimeType, content }) => (mimeType.startsWith('image/') && content !== undefined ? [{ type: 'image', data: Buffer.from(content).toString('base64'), mimeType }] : []));
  return messageLine(newLineId(), nowMs, { role: 'user', content: [{ type: 'text', text }, ...images], timestamp: nowMs });
}

function emptyAnswer(model: ModelRef | undefined): Answer {
  return { text: '', thinking: '', signature: undefined, calls: [], usage: undefined, stopReason: undefined, provider: model?.provider ?? '', model: model?.model ?? '', api: '' };
}

function tokenUsage({ provider, model }: Answer, { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens }: ChatUsage): TokenUsage {
  const uncounted = inputTokens === undefined || outputTokens === undefined;
  const totalTokens = uncounted ? undefined : inputTokens + outputTokens + cacheReadTokens + cacheWriteTokens;
  return TokenUsage.create({ inputTokens: inputTokens ?? 0, outputTokens: outputTokens ?? 0, cacheReadTokens, cacheWriteTokens, totalTokens, uncounted, modelProvider: provider, model });
}

/** A result that was cut is text, not JSON any more. */
function asJson(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

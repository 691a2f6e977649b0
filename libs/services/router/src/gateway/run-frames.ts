/**
 * What runs and their tools say, as the gateway's `agent`, `chat` and `session.tool` events.
 *
 * A chat page is shown the text of a run as it grows, at most once in `DELTA_INTERVAL_MS`; what is
 * between two deltas comes with the next one, and the end of the run carries the whole text. Of more
 * than `RUNS_MAX` runs at a time the one that was silent longest is forgotten: its next delta begins
 * anew, its end has no text.
 */
import { RunEvent } from '@sessions/contracts';
import type { Event, RunState, ToolEvent } from '@sessions/contracts';
import { isJsonObject } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';
import { stopWord } from './stop-word';

export const DELTA_INTERVAL_MS = 150;
export const RUNS_MAX = 4096;

/** A broadcast; one that is only a step on the way may be left out for a client that is behind. */
export interface RunFrame {
  readonly event: 'agent' | 'chat';
  readonly payload: JsonObject;
  readonly isStep: boolean;
}

interface Told {
  chatSeq: number;
  text: string;
  /** Of the text, what deltas have shown. */
  shown: number;
  shownAtMs: number;
}

export class RunFrames {
  readonly #runs = new Map<string, Told>();
  /** Runs whose end clients were told of, the oldest first. */
  readonly #over = new Set<string>();

  /** @returns nothing for events that are not of a run */
  of(event: Event): readonly RunFrame[] {
    const { body } = event;
    if (body?.$case === 'run') return this.#ofRun(event, body.value);
    if (body?.$case === 'tool') return [{ event: 'agent', payload: agentPayload(event, body.value.runId, 'tool', toolData(body.value)), isStep: body.value.phase === 'update' }];
    return [];
  }

  /** True for a run whose end clients were told of. */
  isOver(runId: string): boolean {
    return this.#over.has(runId);
  }

  /** True for a run that was heard of and is not over. */
  isHeard(runId: string): boolean {
    return this.#runs.has(runId);
  }

  /**
   * The end of a run that its runner did not tell: it waited when it was cancelled, or its runner died.
   * @param event the owner's word that it is over
   */
  endOf(event: Event, { runId, outcome, text, stopReason, errorMessage }: RunState): readonly RunFrame[] {
    if (this.isOver(runId)) return [];
    const isAborted = outcome !== 'ok' && outcome !== 'error';
    const end = outcome === 'error' ? { phase: 'error', error: errorMessage ?? 'the run failed' } : { phase: 'end', stopReason: outcome === 'timeout' ? 'timeout' : (isAborted ? stopWord(stopReason) : (stopReason ?? 'stop')), ...(isAborted && { aborted: true }) };
    const dataJson = Buffer.from(JSON.stringify({ ...end, ...(text !== undefined && { text }) }));
    return this.#ofRun(event, RunEvent.create({ runId, stream: 'lifecycle', dataJson }));
  }

  #ofRun(event: Event, { runId, stream, dataJson }: RunEvent): readonly RunFrame[] {
    const data = withStopWord(parseData(dataJson));
    const isText = stream === 'assistant';
    const chat = isText ? this.#delta(event, runId, data) : this.#lifecycle(event, runId, data);
    const agent: RunFrame = { event: 'agent', payload: agentPayload(event, runId, stream, data), isStep: isText };
    return chat === undefined ? [agent] : [agent, { event: 'chat', payload: chat, isStep: isText }];
  }

  #delta(event: Event, runId: string, data: JsonObject): JsonObject | undefined {
    const told = this.#told(runId);
    told.text = typeof data.text === 'string' ? data.text : told.text + (typeof data.delta === 'string' ? data.delta : '');
    if (told.text.length <= told.shown || event.atMs - told.shownAtMs < DELTA_INTERVAL_MS) return undefined;
    const deltaText = told.text.slice(told.shown);
    told.shown = told.text.length;
    told.shownAtMs = event.atMs;
    return chatPayload(event, runId, told, { state: 'delta', deltaText, message: messageOf(told.text, event.atMs) });
  }

  /** The order of a run's end: what `agent` says, then the one `chat` event that ends it. */
  #lifecycle(event: Event, runId: string, data: JsonObject): JsonObject | undefined {
    const told = this.#told(runId);
    const isOver = data.phase === 'end' || data.phase === 'error';
    // Another attempt of a run whose runner failed.
    if (data.phase === 'start') this.#over.delete(runId);
    if (!isOver || this.#over.has(runId)) return undefined;
    this.#runs.delete(runId);
    this.#over.add(runId);
    const [oldest] = this.#over.size > RUNS_MAX ? this.#over : [];
    if (oldest !== undefined) this.#over.delete(oldest);
    const text = typeof data.text === 'string' ? data.text : told.text;
    const message = text === '' ? undefined : messageOf(text, event.atMs);
    const withMessage: JsonObject = message === undefined ? {} : { message };
    if (data.phase === 'error') {
      const errorMessage = data.errorMessage ?? data.error ?? 'the run failed';
      return chatPayload(event, runId, told, { state: 'error', errorMessage, ...withMessage });
    }
    const isAborted = data.aborted === true || data.stopReason === 'rpc';
    const stopReason = data.stopReason ?? (isAborted ? 'rpc' : 'stop');
    return chatPayload(event, runId, told, { state: isAborted ? 'aborted' : 'final', stopReason, ...withMessage });
  }

  #told(runId: string): Told {
    const told = this.#runs.get(runId) ?? { chatSeq: 0, text: '', shown: 0, shownAtMs: -Infinity };
    // Set anew, so that the map's order is that of the last word.
    this.#runs.delete(runId);
    this.#runs.set(runId, told);
    const [silent] = this.#runs.size > RUNS_MAX ? this.#runs.keys() : [];
    if (silent !== undefined) this.#runs.delete(silent);
    return told;
  }
}

/** The end of a run that was stopped, in the clients' word for why. */
const withStopWord = (data: JsonObject): JsonObject => (data.aborted === true && typeof data.stopReason === 'string' ? { ...data, stopReason: stopWord(data.stopReason) } : data);

/** `session.tool`, for operators that follow the session. */
export function toolPayload(event: Event, tool: ToolEvent): JsonObject {
  const { runId, toolCallId, name } = tool;
  return { runId, ...addressOf(event), toolCallId, name, ...toolData(tool), ts: event.atMs };
}

function toolData({ toolCallId, name, phase, ok, dataJson, cut }: ToolEvent): JsonObject {
  const value = dataJson === undefined ? undefined : parseValue(dataJson);
  return {
    phase,
    toolCallId,
    name,
    ...(ok !== undefined && { ok }),
    ...(value !== undefined && { [phase === 'start' ? 'args' : 'result']: value }),
    ...(cut && { cut }),
  };
}

function addressOf({ sessionKey, sessionId, agentId }: Event): JsonObject {
  return { ...(sessionKey !== undefined && { sessionKey }), ...(sessionId !== undefined && { sessionId }), agentId };
}

function agentPayload(event: Event, runId: string, stream: string, data: JsonObject): JsonObject {
  return { runId, ...addressOf(event), stream, data, seq: event.seq, ts: event.atMs };
}

function chatPayload({ sessionKey }: Event, runId: string, told: Told, members: JsonObject): JsonObject {
  told.chatSeq += 1;
  return { runId, ...(sessionKey !== undefined && { sessionKey }), seq: told.chatSeq, ...members };
}

const messageOf = (text: string, atMs: number): JsonObject => ({ role: 'assistant', content: [{ type: 'text', text }], timestamp: atMs });

function parseValue(bytes: Uint8Array): JsonValue | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonValue;
  } catch {
    return undefined;
  }
}

function parseData(bytes: Uint8Array): JsonObject {
  const value = parseValue(bytes);
  return isJsonObject(value) ? value : {};
}

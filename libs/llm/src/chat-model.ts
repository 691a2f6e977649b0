/**
 * One conversation with a model: messages in, a stream of text and tool calls out, ended by why it
 * ended and what it cost. Providers differ behind it and nowhere else.
 *
 * Nothing of a conversation leaves by an error: what a provider says when it fails may repeat the
 * prompt, so a failure is a kind, a status and the names of provider and model.
 * Bounds: `ModelLimits` for time, `ANSWER_CHARS_MAX` for what is collected.
 */
import { SessionError, type JsonObject } from '@sessions/domain';

export interface ChatTool {
  readonly name: string;
  readonly description: string;
  /** JSON schema of the arguments. */
  readonly parameters: JsonObject;
}

export interface ChatRequest {
  readonly system?: string;
  /** `user`, `assistant` and `toolResult` messages as transcripts hold them, valid as `assembleContext` makes them. */
  readonly messages: readonly JsonObject[];
  readonly tools?: readonly ChatTool[];
  /** Longest answer in tokens; absent: the model's, else `ANSWER_TOKENS_DEFAULT`. */
  readonly maxTokens?: number;
  /** How long the model may think before it answers; absent: as it does by itself. */
  readonly thinking?: ThinkingEffort;
}

/** Tokens that a model may think, where its protocol counts them. */
export const THINKING_TOKENS = { minimal: 1_024, low: 2_048, medium: 8_192, high: 16_384 } as const;
export type ThinkingEffort = keyof typeof THINKING_TOKENS;

export interface ChatUsage {
  /** Undefined: the provider does not say. */
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
}

/** `other`: a word of the provider's that has no equal here. */
export type StopReason = 'stop' | 'length' | 'tool-use' | 'refused' | 'other';

export type ChatEvent =
  | { readonly type: 'text'; readonly text: string }
  /** A piece of what it thinks, or, with an empty text, the signature under which the model takes its own thoughts back. */
  | { readonly type: 'thinking'; readonly text: string; readonly signature?: string }
  | { readonly type: 'tool-call'; readonly id: string; readonly name: string; readonly arguments: JsonObject }
  | { readonly type: 'end'; readonly stopReason: StopReason; readonly usage: ChatUsage | undefined };

export interface ChatOptions {
  /** Aborts the request; the stream fails with kind `aborted`. */
  readonly signal?: AbortSignal;
}

export interface ChatModel {
  readonly provider: string;
  readonly model: string;
  /** The protocol, as transcripts name it. */
  readonly api: string;
  /** The last event is `end`; a stream without it has failed. @throws MODEL_FAILED, see `ModelFailure` */
  stream(request: ChatRequest, options?: ChatOptions): AsyncIterable<ChatEvent>;
}

/** Times of one request, milliseconds. */
export interface ModelLimits {
  /** The whole answer. */
  readonly wholeMs: number;
  /** Longest silence, the wait for the first word included. */
  readonly silenceMs: number;
}

export const MODEL_LIMITS: ModelLimits = { wholeMs: 180_000, silenceMs: 120_000 };
/** Longest answer where neither request nor configuration names one. Tokens. */
export const ANSWER_TOKENS_DEFAULT = 4_096;
/** Text that is collected of one answer; a longer one is cut there. */
export const ANSWER_CHARS_MAX = 1_000_000;

/**
 * Why a model gave no answer. `overflow`: the request does not fit its window; `broken-stream`: the
 * answer ended in the middle; `unconfigured`: nothing says where the model is.
 */
export type FailureKind = 'timeout' | 'aborted' | 'unreachable' | 'broken-stream' | 'overloaded' | 'rate-limited' | 'overflow' | 'unauthorised' | 'refused' | 'unconfigured';

const RETRYABLE: ReadonlySet<FailureKind> = new Set(['unreachable', 'broken-stream', 'overloaded', 'rate-limited']);

export class ModelFailure extends SessionError {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, { provider, model }: { readonly provider: string; readonly model: string }, more: { readonly status?: number; readonly retryAfterMs?: number } = {}) {
    const facts = { kind, provider, model, ...(more.status === undefined ? {} : { status: more.status }) };
    super('MODEL_FAILED', `the model did not answer (${kind})`, { facts, ...(more.retryAfterMs === undefined ? {} : { retryAfterMs: more.retryAfterMs }) });
    this.kind = kind;
  }

  /** The same request may be answered a little later. */
  get isRetryable(): boolean {
    return RETRYABLE.has(this.kind);
  }
}

export interface ChatAnswer {
  readonly text: string;
  readonly toolCalls: readonly Extract<ChatEvent, { type: 'tool-call' }>[];
  readonly stopReason: StopReason;
  readonly usage: ChatUsage | undefined;
}

/** Collects one answer. */
export async function collectAnswer(model: ChatModel, request: ChatRequest, options: ChatOptions = {}): Promise<ChatAnswer> {
  const toolCalls: Extract<ChatEvent, { type: 'tool-call' }>[] = [];
  let text = '';
  for await (const event of model.stream(request, options)) {
    if (event.type === 'text') text = (text + event.text).slice(0, ANSWER_CHARS_MAX);
    else if (event.type === 'tool-call') toolCalls.push(event);
    else if (event.type === 'end') return { text, toolCalls, stopReason: event.stopReason, usage: event.usage };
  }
  throw new ModelFailure('broken-stream', model);
}

/**
 * Frames of the gateway's WebSocket: one JSON object each, envelopes closed.
 *
 *     client  { type: "req", id, method, params? }
 *     server  { type: "res", id, ok, payload? | error? }    { type: "event", event, payload, seq? }
 */
import type { SessionError } from '@sessions/domain';
import { any, closed, describeMisfit, text } from './schema';

export interface RequestFrame {
  readonly id: string;
  readonly method: string;
  /** Absent or null means `{}`. */
  readonly params: unknown;
}

export interface FrameError {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
}

export type ReadFrame =
  | { readonly kind: 'request'; readonly frame: RequestFrame }
  /** JSON, but no request: `id` is the frame's own when it has one. */
  | { readonly kind: 'invalid'; readonly id: unknown; readonly problem: string }
  | { readonly kind: 'not-json' };

const REQUEST = closed({ type: { kind: 'constant', value: 'req' }, id: text, method: text, params: any }, ['type', 'id', 'method']);

/** Stands for the id of a frame that has none. */
export const NO_ID = 'invalid';

/** Reads one frame; never throws. */
export function parseFrame(line: string): ReadFrame {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { kind: 'not-json' };
  }
  return toFrame(value);
}

/** @param value what the JSON of a frame says */
export function toFrame(value: unknown): ReadFrame {
  const problem = describeMisfit(REQUEST, value);
  if (problem !== undefined) {
    const id = (value as { id?: unknown } | null)?.id ?? NO_ID;
    return { kind: 'invalid', id, problem: `invalid request frame: ${problem}` };
  }
  const { id, method, params } = value as { id: string; method: string; params?: unknown };
  return { kind: 'request', frame: { id, method, params } };
}

/** JSON that has been written already; large answers are not written twice. */
export class JsonText {
  constructor(readonly text: string) {}
}

export function formatAnswer(id: string, payload: unknown): string {
  return payload instanceof JsonText
    ? `{"type":"res","id":${JSON.stringify(id)},"ok":true,"payload":${payload.text}}`
    : JSON.stringify({ type: 'res', id, ok: true, payload });
}

/** A refusal with a code that no reason of ours stands for. */
export class FrameRefusal extends Error {
  override readonly name = 'FrameRefusal';
  /** @param payload what a refused run came to, beside the error */
  constructor(
    readonly error: FrameError,
    readonly payload?: Readonly<Record<string, unknown>>,
  ) {
    super(error.message);
  }
}

export function formatRefusal(id: unknown, error: FrameError, payload?: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ type: 'res', id, ok: false, ...(payload !== undefined && { payload }), error });
}

/** An event without number; those with one are made in `shared-frame.ts`. */
export function formatEvent(event: string, payload: unknown): string {
  return JSON.stringify({ type: 'event', event, payload });
}

/** A refusal in the gateway's words: measured code, the sentence, the reason in the details. */
export function toFrameError(error: SessionError): FrameError {
  const { gateway, retry } = error.faces;
  return {
    code: gateway,
    message: error.message,
    details: { reason: error.reason, ...error.facts, ...(error.hint !== undefined && { hint: error.hint }) },
    retryable: retry === 'yes' || retry === 'same-key' || retry === 'after-delay',
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
  };
}

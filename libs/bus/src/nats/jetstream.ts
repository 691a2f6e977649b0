/**
 * The few requests to JetStream that streams, consumers and the lease bucket need, as its wire has
 * them. Every failure is one of two: JetStream is away (no answer: try again later), or it refused.
 */
import type { Headers } from '../call-meta';
import type { Inbox } from './inbox';
import { Unanswered, refusedError } from './inbox';
import { JETSTREAM_TIMEOUT_MS } from './wire';

/** Error numbers of JetStream. */
export const JS_ERROR = {
  INSUFFICIENT_RESOURCES: 10023,
  NO_MESSAGE: 10037,
  CONSUMER_NOT_FOUND: 10014,
  MESSAGE_TOO_LARGE: 10054,
  SUBJECTS_OVERLAP: 10065,
  STREAM_EXISTS: 10058,
  STREAM_NOT_FOUND: 10059,
  WRONG_LAST_SEQUENCE: 10071,
  STREAM_STORE_FAILED: 10077,
} as const;

/** JetStream refused. */
export class JetStreamRefusal extends Error {
  override readonly name = 'JetStreamRefusal';

  constructor(
    readonly errCode: number,
    readonly code: number,
    description: string,
  ) {
    super(description);
  }
}

export interface PubAck {
  readonly seq: number;
  readonly duplicate: boolean;
}

interface ApiError {
  readonly code?: number;
  readonly err_code?: number;
  readonly description?: string;
}

export class JetStream {
  readonly #inbox: Inbox;

  constructor(inbox: Inbox) {
    this.#inbox = inbox;
  }

  /** Resolves when the stream has the message. @throws JetStreamRefusal, Unanswered, CONFIG_INVALID without permission */
  async publish(subject: string, payload: Uint8Array, headers: Headers): Promise<PubAck> {
    const answer = await this.#ask(subject, payload, headers);
    // Somebody answered who is no stream.
    if (typeof answer['seq'] !== 'number') throw new Unanswered('no-responders', subject);
    return { seq: answer['seq'], duplicate: answer['duplicate'] === true };
  }

  /** @param name behind `$JS.API.`. @throws as `publish` */
  api(name: string, body: object = {}): Promise<Record<string, unknown>> {
    return this.#ask(`$JS.API.${name}`, Buffer.from(JSON.stringify(body)), undefined);
  }

  /** An acknowledgement that is acknowledged itself. @throws Unanswered */
  async acknowledge(subject: string): Promise<void> {
    await this.#inbox.request(subject, '+ACK', undefined, JETSTREAM_TIMEOUT_MS);
  }

  async #ask(subject: string, payload: Uint8Array, headers: Headers | undefined): Promise<Record<string, unknown>> {
    const msg = await this.#inbox.request(subject, payload, headers, JETSTREAM_TIMEOUT_MS).catch((error: unknown) => {
      throw error instanceof Unanswered && error.why === 'refused' ? refusedError(subject) : error;
    });
    const answer = parseAnswer(msg.string());
    const error = answer['error'] as ApiError | undefined;
    if (error !== undefined) throw new JetStreamRefusal(error.err_code ?? 0, error.code ?? 0, error.description ?? 'refused');
    return answer;
  }
}

function parseAnswer(text: string): Record<string, unknown> {
  const answer: unknown = JSON.parse(text);
  return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {};
}

/** True when trying again later can help and nothing is known of what became of the request. */
export function isAway(error: unknown): boolean {
  if (error instanceof Unanswered) return error.why !== 'closed' && error.why !== 'refused';
  // 503: a cluster that has no leader at the moment.
  return error instanceof JetStreamRefusal && error.code === 503;
}

/** True when another stream has the subjects, which is also said of one that is being made for somebody else just now. */
export function isOverlap(error: unknown): boolean {
  return error instanceof JetStreamRefusal && error.errCode === JS_ERROR.SUBJECTS_OVERLAP;
}

/** True when JetStream says that it does not have what was asked for. */
export function isMissing(error: unknown): boolean {
  return (
    error instanceof JetStreamRefusal &&
    (error.errCode === JS_ERROR.STREAM_NOT_FOUND || error.errCode === JS_ERROR.CONSUMER_NOT_FOUND)
  );
}

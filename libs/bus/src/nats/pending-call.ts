/**
 * The caller's side of one unary call: its answer, its time, its cancelling.
 *
 * During a hand-over two owners of a store may hear the call. A refusal of one that is not its owner
 * therefore waits a moment for the other one's answer.
 */
import { SessionError } from '@sessions/domain';
import type { Msg } from 'nats';
import type { MethodShape } from '../bus';
import type { Headers } from '../call-meta';
import { deadlineError, isRead } from '../deadlines';
import { errorFromHeaders } from '../status';
import { refusedError } from './inbox';
import type { Inbox, InboxPlace, Lost } from './inbox';
import type { NatsLink } from './link';
import { CONTROL, HAND_OVER_PATIENCE_MS, NO_RESPONDERS, WORKING_HEADER, readHeaders } from './wire';

/** What an owner of before, or one that stops, says. */
const HANDED_OVER: ReadonlySet<string> = new Set(['NOT_OWNER', 'NO_OWNER', 'EPOCH_SUPERSEDED']);

export interface PendingCallOptions {
  readonly link: NatsLink;
  readonly inbox: Inbox;
  readonly subject: string;
  readonly method: MethodShape;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export class PendingCall {
  readonly #options: PendingCallOptions;
  readonly #place: InboxPlace;
  readonly #answered: Promise<unknown>;
  #resolve: (value: unknown) => void = () => undefined;
  #reject: (reason: unknown) => void = () => undefined;
  /** Where the server takes `cancel`, once it has said so. */
  readonly #controls = new Set<string>();
  readonly #cancelTimer: () => void;
  #cancelHandOver: (() => void) | undefined;
  #isOver = false;
  #isCancelled = false;

  constructor(options: PendingCallOptions) {
    this.#options = options;
    const { inbox, subject, link, method, timeoutMs } = options;
    this.#answered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#place = inbox.open({ subject, message: (msg) => this.#onMessage(msg), lost: (why) => this.#onLost(why) });
    // The server has the same deadline: it needs no cancel.
    this.#cancelTimer = link.clock.startTimer(timeoutMs, () => this.#fail(deadlineError(method, timeoutMs)));
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  run(payload: Uint8Array, headers: Headers): Promise<unknown> {
    const { link, subject } = this.#options;
    try {
      link.send(subject, payload, { headers, reply: this.#place.reply });
    } catch (error) {
      this.#finish();
      this.#reject(error);
    }
    return this.#answered;
  }

  readonly #onAbort = (): void => {
    if (this.#isOver) return;
    this.#isCancelled = true;
    this.#reject(this.#options.signal?.reason);
    // A server that has not said yet where to cancel still will, until the call's time is over.
    if (this.#controls.size > 0) this.#cancelServers();
  };

  #onMessage(msg: Msg): void {
    const { link, subject, method } = this.#options;
    if (msg.headers?.code === NO_RESPONDERS) {
      return this.#fail(new SessionError('NO_OWNER', `nobody serves ${subject}`, { facts: { subject } }));
    }
    const headers = readHeaders(msg.headers);
    if (headers[WORKING_HEADER] !== undefined) {
      if (msg.reply !== undefined) this.#controls.add(msg.reply);
      if (this.#isCancelled) this.#cancelServers();
      return;
    }
    try {
      const error = errorFromHeaders(headers);
      if (error !== undefined && HANDED_OVER.has(error.reason)) {
        this.#cancelHandOver ??= link.clock.startTimer(HAND_OVER_PATIENCE_MS, () => this.#fail(error));
        return;
      }
      if (error !== undefined) return this.#fail(error);
      const answer = method.responseDeserialize(Buffer.from(msg.data.buffer, msg.data.byteOffset, msg.data.byteLength));
      this.#finish();
      this.#resolve(answer);
    } catch (error) {
      this.#fail(new SessionError('INTERNAL', `the answer of ${method.path} cannot be read`, { cause: error }));
    }
  }

  #onLost(why: Lost): void {
    const { subject, method } = this.#options;
    if (why === 'refused') return this.#fail(refusedError(subject));
    if (why === 'closed') return this.#fail(new SessionError('SHUTTING_DOWN', 'the bus is closed'));
    const facts = { subject, disconnected: true };
    this.#fail(
      isRead(method)
        ? new SessionError('NO_OWNER', `the connection was lost before ${subject} answered`, { facts })
        : new SessionError('OUTCOME_UNKNOWN', `the connection was lost after ${subject} was asked`, {
            facts,
            hint: 'try again with the same idempotency key',
          }),
    );
  }

  #fail(error: unknown): void {
    this.#finish();
    this.#reject(error);
  }

  #cancelServers(): void {
    for (const control of this.#controls) this.#options.link.sendIfConnected(control, CONTROL.CANCEL);
    this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#place.close();
    this.#cancelTimer();
    this.#cancelHandOver?.();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
  }
}

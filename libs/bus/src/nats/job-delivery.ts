/**
 * One delivery of a job: acknowledged, given back, or taken back when its time is over. The worker's
 * own clock speaks a little before the server's, so that a job comes again with the usual delay and
 * its worker knows of it.
 */
import { SessionError } from '@sessions/domain';
import type { Job } from '../bus';
import { MAX_DELIVERIES } from '../limits';
import type { BusTiming } from '../timing';
import { redeliveryDelayMs } from '../timing';
import type { JetStream } from './jetstream';
import type { NatsLink } from './link';
import { NS_PER_MS } from './wire';

/** How much earlier than the server the worker gives up, at most; milliseconds. */
const EARLIER_MS_MAX = 1_000;
const EARLIER_SHARE = 0.1;
/** Wait between two tries to acknowledge, milliseconds. */
const ACK_AGAIN_MS = 250;

export interface JobMessage {
  readonly value: unknown;
  readonly subject: string;
  readonly messageId: string;
  /** From 1. */
  readonly delivery: number;
  /** Where acknowledgements go. */
  readonly ackSubject: string;
}

export interface DeliveryDeps {
  readonly link: NatsLink;
  readonly jetStream: JetStream;
  readonly timing: BusTiming;
  /** The last delivery failed. */
  readonly bury: (problem: string) => void;
  /** The place of this delivery is free. */
  readonly onEnd: () => void;
}

export class JobDelivery implements Job<unknown> {
  readonly value: unknown;
  readonly subject: string;
  readonly messageId: string;
  readonly delivery: number;
  readonly #ackSubject: string;
  readonly #deps: DeliveryDeps;
  readonly #controller = new AbortController();
  #cancelTimer: () => void = () => undefined;
  #endsAtMs = 0;
  #isOver = false;

  constructor(message: JobMessage, deps: DeliveryDeps) {
    this.value = message.value;
    this.subject = message.subject;
    this.messageId = message.messageId;
    this.delivery = message.delivery;
    this.#ackSubject = message.ackSubject;
    this.#deps = deps;
    this.#startTimer();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async ack(): Promise<boolean> {
    if (!this.#finish()) return false;
    const { link, jetStream } = this.#deps;
    try {
      for (;;) {
        const left = this.#endsAtMs - link.clock.nowMs();
        if (left <= 0) break;
        try {
          await jetStream.acknowledge(this.#ackSubject);
          return true;
        } catch {
          await new Promise<void>((resolve) => link.clock.startTimer(ACK_AGAIN_MS, resolve));
          await link.whenConnected(Math.max(0, this.#endsAtMs - link.clock.nowMs()));
        }
      }
      link.report({ kind: 'jetstream-away', message: 'a finished job could not be acknowledged and comes again', subject: this.subject });
      return false;
    } finally {
      this.#deps.onEnd();
    }
  }

  async inProgress(): Promise<boolean> {
    if (this.#isOver) return false;
    const { link } = this.#deps;
    // What the server does not hear does not extend the time either.
    if (!link.connected) return true;
    link.send(this.#ackSubject, '+WPI');
    this.#startTimer();
    return true;
  }

  async retry(delayMs?: number): Promise<void> {
    this.#giveBack('given back by its worker', delayMs);
  }

  /** The handler is over. */
  handlerEnded(problem: string): void {
    this.#giveBack(problem, undefined);
  }

  /** The consumer stops; the handler may still run, and is told by its signal. */
  stop(): void {
    if (!this.#finish()) return;
    this.#nak(0);
    this.#deps.onEnd();
    this.#controller.abort(new DOMException('the consumer stopped', 'AbortError'));
  }

  #giveBack(problem: string, delayMs: number | undefined): boolean {
    if (!this.#finish()) return false;
    if (this.delivery >= MAX_DELIVERIES) this.#deps.bury(problem);
    else this.#nak(delayMs ?? redeliveryDelayMs(this.#deps.timing, this.delivery));
    this.#deps.onEnd();
    return true;
  }

  /** Without a connection the server gives it to another one when the time to acknowledge is over. */
  #nak(delayMs: number): void {
    this.#deps.link.sendIfConnected(this.#ackSubject, delayMs <= 0 ? '-NAK' : `-NAK ${JSON.stringify({ delay: Math.round(delayMs * NS_PER_MS) })}`);
  }

  #startTimer(): void {
    const { link, timing } = this.#deps;
    const holdMs = timing.ackWaitMs - Math.min(EARLIER_MS_MAX, timing.ackWaitMs * EARLIER_SHARE);
    this.#cancelTimer();
    this.#endsAtMs = link.clock.nowMs() + holdMs;
    this.#cancelTimer = link.clock.startTimer(holdMs, () => {
      const problem = `not acknowledged within ${timing.ackWaitMs} ms`;
      if (this.#giveBack(problem, undefined)) this.#controller.abort(new DOMException(problem, 'AbortError'));
    });
  }

  #finish(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#cancelTimer();
    return true;
  }
}

/** What may be told of a failure: a refusal's reason, else only its class. */
export function problemOf(error: unknown): string {
  if (error instanceof SessionError) return error.reason;
  return error instanceof Error ? error.name : 'failed';
}

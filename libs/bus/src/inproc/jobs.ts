/**
 * The work queue within one process. It ends with the process, as a notice may: the owner's journal
 * holds the work and publishes it again.
 */
import { SessionError } from '@sessions/domain';
import { placesOf } from '../bus';
import type { ConsumeOptions, DeadJob, Job, JobConsumer, Jobs, MessageCodec } from '../bus';
import type { BusClock } from '../clock';
import {
  MAX_DEAD_LETTERS,
  MAX_DELIVERIES,
  MAX_JOBS_WAITING,
  MAX_JOB_BYTES,
  MAX_MESSAGE_IDS,
} from '../limits';
import { subjectMatches } from '../subjects';
import type { BusTiming } from '../timing';
import { redeliveryDelayMs } from '../timing';
import type { Passing } from './passing';

interface Queued {
  readonly subject: string;
  readonly messageId: string;
  readonly read: () => unknown;
  deliveries: number;
}

interface Consumer {
  readonly pattern: string;
  readonly handler: (job: Job<unknown>) => Promise<void>;
  readonly places: () => number;
  readonly open: Set<Delivery>;
}

export class InProcJobs implements Jobs {
  /** Ready to be delivered, oldest first, by subject; the subject served last stands last. */
  private readonly ready = new Map<string, Queued[]>();
  private readyCount = 0;
  /** Waiting for their next delivery; each cancels its timer. */
  private readonly delayed = new Map<Queued, () => void>();
  private readonly consumers = new Set<Consumer>();
  private readonly dead: DeadJob[] = [];
  /** Message id -> when it was queued; in order of time. */
  private readonly seen = new Map<string, number>();
  private closed = false;

  constructor(
    private readonly clock: BusClock,
    private readonly timing: BusTiming,
    private readonly passing: Passing,
  ) {}

  async publish<T>(subject: string, codec: MessageCodec<T>, job: T, messageId: string): Promise<{ duplicate: boolean }> {
    this.checkOpen();
    const read = this.passing.message(`the job ${subject}`, codec, job, MAX_JOB_BYTES);
    const now = this.clock.nowMs();
    this.forgetIds(now);
    if (this.seen.has(messageId)) return { duplicate: true };
    if (this.readyCount + this.delayed.size >= MAX_JOBS_WAITING) {
      throw new SessionError('OVERLOADED', `${MAX_JOBS_WAITING} jobs wait`, { retryAfterMs: this.timing.redeliveryMs });
    }
    this.seen.set(messageId, now);
    this.enqueue({ subject, messageId, read, deliveries: 0 });
    return { duplicate: false };
  }

  async consume<T>(
    pattern: string,
    _codec: MessageCodec<T>,
    handler: (job: Job<T>) => Promise<void>,
    options: ConsumeOptions = {},
  ): Promise<JobConsumer> {
    this.checkOpen();
    const consumer: Consumer = {
      pattern,
      handler: handler as Consumer['handler'],
      places: placesOf(options),
      open: new Set(),
    };
    this.consumers.add(consumer);
    this.deliver();
    return { stop: () => this.stop(consumer) };
  }

  async listDead(pattern: string): Promise<readonly DeadJob[]> {
    return this.dead.filter(({ subject }) => subjectMatches(pattern, subject)).reverse();
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const consumer of [...this.consumers]) await this.stop(consumer);
    for (const cancel of this.delayed.values()) cancel();
    this.delayed.clear();
    this.ready.clear();
    this.readyCount = 0;
  }

  private enqueue(job: Queued): void {
    const queue = this.ready.get(job.subject);
    if (queue) queue.push(job);
    else this.ready.set(job.subject, [job]);
    this.readyCount += 1;
    this.deliver();
  }

  /** Hands ready jobs to consumers with room, one of each subject in turn. */
  private deliver(): void {
    for (let handed = true; handed; ) {
      handed = false;
      for (const [subject, queue] of [...this.ready]) {
        const consumer = this.roomFor(subject);
        const job = consumer && queue.shift();
        if (!job) continue;
        this.ready.delete(subject);
        if (queue.length > 0) this.ready.set(subject, queue);
        this.readyCount -= 1;
        this.hand(job, consumer);
        handed = true;
      }
    }
  }

  private roomFor(subject: string): Consumer | undefined {
    return [...this.consumers]
      .filter((one) => one.open.size < one.places() && subjectMatches(one.pattern, subject))
      .sort((a, b) => a.open.size - b.open.size)[0];
  }

  private hand(job: Queued, consumer: Consumer): void {
    job.deliveries += 1;
    const delivery = new Delivery(job, this.clock, this.timing, (end) => {
      consumer.open.delete(delivery);
      this.ended(job, end);
    });
    consumer.open.add(delivery);
    void Promise.resolve()
      .then(() => consumer.handler(delivery))
      .then(
        () => delivery.giveBack('ended without acknowledging'),
        (error: unknown) => delivery.giveBack(describe(error)),
      );
  }

  private ended(job: Queued, end: DeliveryEnd): void {
    if (end.kind === 'returned' && !this.closed) {
      if (job.deliveries >= MAX_DELIVERIES && !end.stopped) this.bury(job, end.problem);
      else this.delay(job, end.stopped ? 0 : (end.delayMs ?? redeliveryDelayMs(this.timing, job.deliveries)));
    }
    this.deliver();
  }

  private delay(job: Queued, delayMs: number): void {
    this.delayed.set(
      job,
      this.clock.startTimer(delayMs, () => {
        this.delayed.delete(job);
        this.enqueue(job);
      }),
    );
  }

  private bury(job: Queued, problem: string): void {
    this.dead.push({
      subject: job.subject,
      messageId: job.messageId,
      deliveries: job.deliveries,
      problem,
      diedAtMs: this.clock.nowMs(),
    });
    if (this.dead.length > MAX_DEAD_LETTERS) this.dead.shift();
  }

  private async stop(consumer: Consumer): Promise<void> {
    this.consumers.delete(consumer);
    for (const delivery of [...consumer.open]) delivery.takeBack('the consumer stopped', true);
  }

  private forgetIds(now: number): void {
    for (const [messageId, at] of this.seen) {
      if (now - at < this.timing.duplicateWindowMs && this.seen.size < MAX_MESSAGE_IDS) return;
      this.seen.delete(messageId);
    }
  }

  private checkOpen(): void {
    if (this.closed) throw new SessionError('SHUTTING_DOWN', 'the bus is closed');
  }
}

type DeliveryEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'returned'; readonly problem: string; readonly delayMs: number | undefined; readonly stopped: boolean };

class Delivery implements Job<unknown> {
  readonly value: unknown;
  readonly subject: string;
  readonly messageId: string;
  readonly delivery: number;
  private readonly controller = new AbortController();
  private cancelTimer: () => void = () => undefined;
  private over = false;

  constructor(
    job: Queued,
    private readonly clock: BusClock,
    private readonly timing: BusTiming,
    private readonly onEnd: (end: DeliveryEnd) => void,
  ) {
    this.value = job.read();
    this.subject = job.subject;
    this.messageId = job.messageId;
    this.delivery = job.deliveries;
    this.startTimer();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  async ack(): Promise<boolean> {
    return this.finish({ kind: 'done' });
  }

  async inProgress(): Promise<boolean> {
    if (this.over) return false;
    this.startTimer();
    return true;
  }

  async retry(delayMs?: number): Promise<void> {
    this.finish({ kind: 'returned', problem: 'given back by its worker', delayMs, stopped: false });
  }

  /** The handler is over. */
  giveBack(problem: string): void {
    this.finish({ kind: 'returned', problem, delayMs: undefined, stopped: false });
  }

  /** The handler may still run; it is told by its signal. */
  takeBack(problem: string, stopped: boolean): void {
    if (this.finish({ kind: 'returned', problem, delayMs: undefined, stopped })) {
      this.controller.abort(new DOMException(problem, 'AbortError'));
    }
  }

  private startTimer(): void {
    this.cancelTimer();
    this.cancelTimer = this.clock.startTimer(this.timing.ackWaitMs, () =>
      this.takeBack(`not acknowledged within ${this.timing.ackWaitMs} ms`, false),
    );
  }

  private finish(end: DeliveryEnd): boolean {
    if (this.over) return false;
    this.over = true;
    this.cancelTimer();
    this.onEnd(end);
    return true;
  }
}

/** What may be told of a failure: a refusal's reason, else only its class. */
function describe(error: unknown): string {
  if (error instanceof SessionError) return error.reason;
  return error instanceof Error ? error.name : 'failed';
}

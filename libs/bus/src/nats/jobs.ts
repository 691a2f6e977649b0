/**
 * The work queue on JetStream: stream `<P>_JOBS`, one durable pull consumer a job type. A job is a
 * notice; when JetStream loses it, the owner's pending work publishes it again. Bounded by
 * `MAX_JOBS_WAITING` (refused beyond) and each consumer's concurrency.
 */
import { CALL_HEADER } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { Msg } from 'nats';
import { placesOf } from '../bus';
import type { ConsumeOptions, DeadJob, Job, JobConsumer, Jobs, MessageCodec } from '../bus';
import { MAX_DELIVERIES, MAX_JOBS_WAITING, MAX_JOB_BYTES, checkSize } from '../limits';
import { JOB_TYPES } from '../subjects';
import type { BusTiming } from '../timing';
import { DeadLetters } from './dead-letters';
import type { Inbox } from './inbox';
import { JS_ERROR, JetStreamRefusal } from './jetstream';
import type { JetStream } from './jetstream';
import { JobDelivery, problemOf } from './job-delivery';
import { JobPuller } from './job-puller';
import type { NatsLink } from './link';
import type { Provisioner } from './provisioner';
import { RECONNECT_PATIENCE_MS, namesFor } from './wire';

export interface NatsJobsDeps {
  readonly link: NatsLink;
  readonly inbox: Inbox;
  readonly jetStream: JetStream;
  readonly provisioner: Provisioner;
  readonly subjectPrefix: string;
  readonly timing: BusTiming;
}

interface Consumer {
  readonly puller: JobPuller;
  readonly open: Set<JobDelivery>;
}

export class NatsJobs implements Jobs {
  readonly #deps: NatsJobsDeps;
  readonly #stream: string;
  readonly #dead: DeadLetters;
  readonly #consumers = new Set<Consumer>();
  #closed = false;

  constructor(deps: NatsJobsDeps) {
    this.#deps = deps;
    this.#stream = namesFor(deps.subjectPrefix).jobs;
    this.#dead = new DeadLetters(deps.jetStream, deps.provisioner, deps.subjectPrefix);
  }

  async publish<T>(subject: string, codec: MessageCodec<T>, job: T, messageId: string): Promise<{ duplicate: boolean }> {
    this.#checkOpen();
    const { link, jetStream, provisioner, timing } = this.#deps;
    const payload = codec.encode(job).finish();
    checkSize(`the job ${subject}`, payload.length, MAX_JOB_BYTES);
    await link.whenConnected(RECONNECT_PATIENCE_MS);
    const headers = { [CALL_HEADER.MESSAGE_ID]: messageId };
    try {
      const { duplicate } = await provisioner.run(`the job queue ${this.#stream}`, () => jetStream.publish(subject, payload, headers));
      return { duplicate };
    } catch (error) {
      if (!(error instanceof JetStreamRefusal)) throw error;
      if (error.errCode === JS_ERROR.MESSAGE_TOO_LARGE) {
        throw new SessionError('TOO_LARGE', `the job ${subject} is larger than the queue takes`, { cause: error });
      }
      const isFull = error.errCode === JS_ERROR.STREAM_STORE_FAILED || error.errCode === JS_ERROR.INSUFFICIENT_RESOURCES;
      if (!isFull) throw new SessionError('INTERNAL', 'internal error', { cause: error });
      throw new SessionError('OVERLOADED', `the job queue ${this.#stream} is full (at most ${MAX_JOBS_WAITING} jobs): ${error.message}`, {
        retryAfterMs: timing.redeliveryMs,
        cause: error,
      });
    }
  }

  async consume<T>(
    pattern: string,
    codec: MessageCodec<T>,
    handler: (job: Job<T>) => Promise<void>,
    options: ConsumeOptions = {},
  ): Promise<JobConsumer> {
    this.#checkOpen();
    const { subjectPrefix } = this.#deps;
    const type = JOB_TYPES.find((name) => pattern === `${subjectPrefix}.jobs.${name}.*`);
    if (type === undefined) throw new SessionError('VALIDATION', `${pattern} is not all jobs of one type`);
    const places = placesOf(options);
    const open = new Set<JobDelivery>();
    const puller = new JobPuller({
      ...this.#deps,
      stream: this.#stream,
      consumer: type,
      room: () => places() - open.size,
      onJob: (msg) => this.#hand(consumer, msg, codec, handler as (job: Job<unknown>) => Promise<void>),
    });
    const consumer: Consumer = { puller, open };
    this.#consumers.add(consumer);
    puller.start();
    return { stop: async () => this.#stop(consumer) };
  }

  async listDead(pattern: string): Promise<readonly DeadJob[]> {
    this.#checkOpen();
    return this.#dead.list(pattern);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const consumer of [...this.#consumers]) this.#stop(consumer);
  }

  #stop(consumer: Consumer): void {
    this.#consumers.delete(consumer);
    consumer.puller.stop();
    for (const delivery of [...consumer.open]) delivery.stop();
  }

  #hand(consumer: Consumer, msg: Msg, codec: MessageCodec<unknown>, handler: (job: Job<unknown>) => Promise<void>): void {
    const { reply: ackSubject = '', subject } = msg;
    const { delivery, streamSeq } = parseAckSubject(ackSubject);
    const messageId = msg.headers?.get(CALL_HEADER.MESSAGE_ID) ?? '';
    const bury = (problem: string): void => void this.#bury({ subject, messageId, deliveries: Math.min(delivery, MAX_DELIVERIES), problem }, streamSeq, ackSubject);
    // Its last worker was silent, or gone: the server delivers for ever, the count is kept here.
    if (delivery > MAX_DELIVERIES) return bury('not acknowledged by its last worker');
    let value: unknown;
    try {
      value = codec.decode(msg.data);
    } catch {
      return bury('unreadable');
    }
    const job = new JobDelivery(
      { value, subject, messageId, delivery, ackSubject },
      {
        ...this.#deps,
        bury,
        onEnd: () => {
          consumer.open.delete(job);
          consumer.puller.pull();
        },
      },
    );
    consumer.open.add(job);
    void Promise.resolve()
      .then(() => handler(job))
      .then(
        () => job.handlerEnded('ended without acknowledging'),
        (error: unknown) => job.handlerEnded(problemOf(error)),
      );
  }

  /** Never rejects: a job that could not be buried comes again, and is then. */
  async #bury(letter: Omit<DeadJob, 'diedAtMs'>, streamSeq: string, ackSubject: string): Promise<void> {
    const { link } = this.#deps;
    try {
      await this.#dead.add({ ...letter, diedAtMs: link.clock.nowMs() }, streamSeq);
      link.sendIfConnected(ackSubject, '+TERM');
      const { subject, messageId, problem } = letter;
      link.report({ kind: 'dead-letter', message: 'a job failed for the last time', subject, messageId, problem });
    } catch (error) {
      link.report({ kind: 'error', message: 'a dead letter could not be kept; its job comes again', subject: letter.subject, problem: problemOf(error) });
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new SessionError('SHUTTING_DOWN', 'the bus is closed');
  }
}

/**
 * `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`; newer servers
 * put a domain and an account before the stream and may add tokens at the end.
 */
function parseAckSubject(subject: string): { readonly delivery: number; readonly streamSeq: string } {
  const tokens = subject.split('.');
  const shift = tokens.length > 9 ? 2 : 0;
  return { delivery: Number(tokens[4 + shift] ?? '1'), streamSeq: tokens[5 + shift] ?? '' };
}

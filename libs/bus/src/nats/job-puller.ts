/**
 * Asks a durable pull consumer for as many jobs as there is room for, and again when the room grows,
 * the request ran out or the connection came back. It never holds a job that nobody works on.
 */
import type { Msg, Subscription } from 'nats';
import type { Inbox } from './inbox';
import type { JetStream } from './jetstream';
import type { NatsLink } from './link';
import type { Provisioner } from './provisioner';
import { NO_RESPONDERS, NS_PER_MS } from './wire';

/** How long the server keeps one request, milliseconds; an idle worker asks this seldom. */
const PULL_EXPIRES_MS = 30_000;
/** How much later an answer may come before the request counts as lost, milliseconds. */
const PULL_GRACE_MS = 2_000;
const AGAIN_MS = 250;
const AGAIN_MS_MAX = 5_000;
/** Statuses of a request that ended in order: no message, time over. */
const ORDERLY: ReadonlySet<number> = new Set([404, 408]);

export interface JobPullerDeps {
  readonly link: NatsLink;
  readonly inbox: Inbox;
  readonly jetStream: JetStream;
  readonly provisioner: Provisioner;
  readonly stream: string;
  readonly consumer: string;
  /** Jobs that may be taken now. */
  readonly room: () => number;
  readonly onJob: (msg: Msg) => void;
}

export class JobPuller {
  readonly #deps: JobPullerDeps;
  readonly #ask: string;
  readonly #replyPrefix: string;
  /** Jobs arrive under their own subject, statuses under that of the request. */
  readonly #subscription: Subscription;
  readonly #ends: (() => void)[];
  /** Reply subject of the open request. */
  #open: string | undefined;
  #requests = 0;
  #expected = 0;
  #cancelTimer: () => void = () => undefined;
  #againMs = AGAIN_MS;
  #isRepairing = false;
  #isStopped = false;

  constructor(deps: JobPullerDeps) {
    this.#deps = deps;
    const { link, inbox, stream, consumer } = deps;
    this.#ask = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    this.#replyPrefix = inbox.newPrefix();
    this.#subscription = link.nc.subscribe(`${this.#replyPrefix}.*`, {
      callback: (error, msg) => {
        if (error === null) this.#onMessage(msg);
      },
    });
    this.#ends = [
      link.onReconnect(() => this.pull()),
      link.onLost(() => this.#closed(false)),
      link.onRefused((subject) => {
        if (subject !== this.#ask) return;
        this.#closed(false);
        this.#later();
      }),
    ];
  }

  /** Asks when there is room and no request is open. */
  pull(): void {
    const { link } = this.#deps;
    if (this.#isStopped || this.#open !== undefined || this.#isRepairing || !link.connected) return;
    const batch = this.#deps.room();
    if (batch < 1) return;
    this.#requests += 1;
    this.#open = `${this.#replyPrefix}.${this.#requests.toString(36)}`;
    this.#expected = batch;
    this.#cancelTimer();
    this.#cancelTimer = link.clock.startTimer(PULL_EXPIRES_MS + PULL_GRACE_MS, () => this.#closed(true));
    link.send(this.#ask, JSON.stringify({ batch, expires: PULL_EXPIRES_MS * NS_PER_MS }), { reply: this.#open });
  }

  stop(): void {
    this.#isStopped = true;
    for (const end of this.#ends) end();
    this.#cancelTimer();
    if (!this.#subscription.isClosed()) this.#subscription.unsubscribe();
  }

  #onMessage(msg: Msg): void {
    if (this.#isStopped) return;
    const status = msg.headers?.code ?? 0;
    if (status === 0) {
      this.#againMs = AGAIN_MS;
      this.#expected -= 1;
      this.#deps.onJob(msg);
      if (this.#expected <= 0) this.#closed(true);
    } else if (msg.subject === this.#open) {
      const isOrderly = ORDERLY.has(status);
      this.#closed(isOrderly);
      if (!isOrderly) void this.#repair(status === NO_RESPONDERS);
    }
  }

  #closed(pullsOn: boolean): void {
    if (this.#open === undefined) return;
    this.#open = undefined;
    this.#cancelTimer();
    if (pullsOn) this.pull();
  }

  /** The consumer does not answer: it may be gone. */
  async #repair(asksAtOnce: boolean): Promise<void> {
    if (this.#isRepairing || this.#isStopped) return;
    this.#isRepairing = true;
    const { jetStream, provisioner, stream, consumer } = this.#deps;
    let isThere = false;
    try {
      await provisioner.run(`the job consumer ${stream}/${consumer}`, () => jetStream.api(`CONSUMER.INFO.${stream}.${consumer}`));
      isThere = asksAtOnce;
    } catch {
      // Reported by the provisioner; tried again below.
    }
    this.#isRepairing = false;
    if (isThere && this.#againMs === AGAIN_MS) {
      // Once at once; a consumer that is there and yet does not answer is asked more and more seldom.
      this.#againMs *= 2;
      this.pull();
    } else {
      this.#later();
    }
  }

  #later(): void {
    if (this.#isStopped) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#deps.link.clock.startTimer(this.#againMs, () => this.pull());
    this.#againMs = Math.min(AGAIN_MS_MAX, this.#againMs * 2);
  }
}

/**
 * Asks a durable pull consumer for as many jobs as there is room for, and again when the room grows,
 * the request ran out or the connection came back. It never holds a job that nobody works on.
 */
import type { Msg, Subscription } from 'nats';
import type { Inbox } from './inbox';
import type { JetStream } from './jetstream';
import type { NatsLink } from './link';
import type { Provisioner } from './provisioner';
import { NS_PER_MS } from './wire';

/** How long the server keeps one request, milliseconds; an idle worker asks this seldom. */
const PULL_EXPIRES_MS = 30_000;
/** How often the server says that it still has the request, milliseconds. A consumer that is gone says nothing. */
const HEARTBEAT_MS = 5_000;
/** Silence after which the request counts as lost, milliseconds. */
const SILENCE_MS_MAX = 2 * HEARTBEAT_MS + 1_000;
const HEARTBEAT_STATUS = 100;
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
      // The server may have come back without the consumer, and would not say so.
      link.onReconnect(() => void this.#repair()),
      link.onLost(() => this.#closed(false)),
      link.onRefused((subject) => {
        if (subject !== this.#ask) return;
        this.#closed(false);
        this.#repairLater();
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
    this.#expectLife();
    const request = { batch, expires: PULL_EXPIRES_MS * NS_PER_MS, idle_heartbeat: HEARTBEAT_MS * NS_PER_MS };
    link.send(this.#ask, JSON.stringify(request), { reply: this.#open });
  }

  /** Makes sure that the consumer is there, then asks. */
  start(): void {
    void this.#repair();
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
    const isHealthy = status === 0 || status === HEARTBEAT_STATUS || ORDERLY.has(status);
    if (isHealthy) {
      this.#againMs = AGAIN_MS;
      this.#expectLife();
    }
    if (status === 0) {
      this.#expected -= 1;
      this.#deps.onJob(msg);
      if (this.#expected <= 0) this.#closed(true);
    } else if (msg.subject === this.#open && status !== HEARTBEAT_STATUS) {
      this.#closed(isHealthy);
      if (!isHealthy) this.#repairLater();
    }
  }

  #expectLife(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#deps.link.clock.startTimer(SILENCE_MS_MAX, () => {
      this.#closed(false);
      void this.#repair();
    });
  }

  #closed(pullsOn: boolean): void {
    if (this.#open === undefined) return;
    this.#open = undefined;
    this.#cancelTimer();
    if (pullsOn) this.pull();
  }

  /** The consumer may be gone: makes sure that it is there, then asks. */
  async #repair(): Promise<void> {
    if (this.#isRepairing || this.#isStopped || !this.#deps.link.connected) return;
    this.#isRepairing = true;
    const { jetStream, provisioner, stream, consumer } = this.#deps;
    try {
      await provisioner.run(`the job consumer ${stream}/${consumer}`, () => jetStream.api(`CONSUMER.INFO.${stream}.${consumer}`));
      this.#isRepairing = false;
      this.pull();
    } catch {
      // Reported by the provisioner.
      this.#isRepairing = false;
      this.#repairLater();
    }
  }

  #repairLater(): void {
    if (this.#isStopped) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#deps.link.clock.startTimer(this.#againMs, () => void this.#repair());
    this.#againMs = Math.min(AGAIN_MS_MAX, this.#againMs * 2);
  }
}

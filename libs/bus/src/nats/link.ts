/**
 * The connection to NATS as the other files here see it: whether it stands, what was lost with it,
 * and one way to send. It reconnects for ever; nothing sent while it is away is kept, so whoever
 * needs an answer waits for `whenConnected` first.
 */
import { SessionError } from '@sessions/domain';
import type { MsgHdrs, NatsConnection, Status, Subscription } from 'nats';
import type { Headers } from '../call-meta';
import type { BusClock } from '../clock';
import type { BusReport } from './options';

export interface LinkOptions {
  readonly nc: NatsConnection;
  readonly makeHeaders: () => MsgHdrs;
  readonly clock: BusClock;
  readonly report: (report: BusReport) => void;
}

export interface SendOptions {
  readonly headers?: Headers;
  readonly reply?: string;
}

/** How long closing waits for what is on its way out, milliseconds. */
const CLOSE_FLUSH_MS = 1_000;
/** How long the server may take to know of a subscription, milliseconds. */
const CONFIRM_MS = 5_000;

const EMPTY = new Uint8Array(0);

export class NatsLink {
  readonly nc: NatsConnection;
  readonly clock: BusClock;
  readonly report: (report: BusReport) => void;
  readonly #makeHeaders: () => MsgHdrs;
  readonly #reconnected = new Set<() => void>();
  readonly #lost = new Set<() => void>();
  readonly #refused = new Set<(subject: string) => void>();
  readonly #waiting = new Set<() => void>();
  readonly #sending = new Set<() => void>();
  #connected = true;
  #closed = false;

  constructor({ nc, makeHeaders, clock, report }: LinkOptions) {
    this.nc = nc;
    this.clock = clock;
    this.report = report;
    this.#makeHeaders = makeHeaders;
    void this.#watch();
    void nc.closed().then((error) => this.#onClosed(error ?? undefined));
  }

  get connected(): boolean {
    return this.#connected && !this.#closed;
  }

  /** Called when the connection stands again; answers and events in between are lost. */
  onReconnect(listener: () => void): () => void {
    this.#reconnected.add(listener);
    return () => void this.#reconnected.delete(listener);
  }

  /** Called when the connection is lost: what was sent may not have arrived. */
  onLost(listener: () => void): () => void {
    this.#lost.add(listener);
    return () => void this.#lost.delete(listener);
  }

  /** Called when the server does not let us publish to a subject. */
  onRefused(listener: (subject: string) => void): () => void {
    this.#refused.add(listener);
    return () => void this.#refused.delete(listener);
  }

  /** Called before each thing that is sent: for what waits to leave with it. */
  beforeSend(listener: () => void): () => void {
    this.#sending.add(listener);
    return () => void this.#sending.delete(listener);
  }

  /** True as soon as the connection stands; false when it does not within `patienceMs`. */
  whenConnected(patienceMs: number): Promise<boolean> {
    if (this.connected || this.#closed) return Promise.resolve(this.connected);
    return new Promise((resolve) => {
      const finish = (): void => {
        cancel();
        this.#waiting.delete(finish);
        resolve(this.connected);
      };
      const cancel = this.clock.startTimer(patienceMs, finish);
      this.#waiting.add(finish);
    });
  }

  /** @throws TOO_LARGE, SHUTTING_DOWN, VALIDATION for a header that cannot travel */
  send(subject: string, payload: Uint8Array | string = EMPTY, { headers, reply }: SendOptions = {}): void {
    if (this.#closed || this.nc.isClosed()) throw new SessionError('SHUTTING_DOWN', 'the bus is closed');
    for (const listener of this.#sending) listener();
    try {
      this.nc.publish(subject, payload, {
        ...(headers !== undefined && { headers: this.#encode(headers) }),
        ...(reply !== undefined && { reply }),
      });
    } catch (error) {
      throw sendError(error, subject);
    }
  }

  /** For what need not arrive: a cancel, a beat. Does nothing on a connection that is away. */
  sendIfConnected(subject: string, payload?: Uint8Array | string, options?: SendOptions): void {
    if (this.connected && !this.nc.isClosed()) this.send(subject, payload, options);
  }

  /** Resolves when the server knows of the subscription. @throws CONFIG_INVALID when it refuses it */
  async confirm(subject: string, subscription: Subscription): Promise<void> {
    // While the connection is away there is nothing to confirm: it subscribes anew when it stands.
    if (this.connected) await this.#within(CONFIRM_MS, this.nc.flush());
    if (!subscription.isClosed() || this.nc.isClosed()) return;
    throw new SessionError('CONFIG_INVALID', `the NATS server does not let this service subscribe to ${subject}`, {
      facts: { subject },
      hint: 'compare the permissions of its NATS user with docs/protocols/bus.md',
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const finish of [...this.#waiting]) finish();
    // A server that hangs must not keep us: what it has not taken by then is lost.
    if (this.#connected) await this.#within(CLOSE_FLUSH_MS, this.nc.flush());
    await this.nc.close();
  }

  async #within(patienceMs: number, act: Promise<void>): Promise<void> {
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => (cancel = this.clock.startTimer(patienceMs, resolve)));
    await Promise.race([act.catch(() => undefined), late]);
    cancel();
  }

  #encode(headers: Headers): MsgHdrs {
    const encoded = this.#makeHeaders();
    for (const [name, value] of Object.entries(headers)) encoded.set(name, value);
    return encoded;
  }

  async #watch(): Promise<void> {
    for await (const status of this.nc.status()) this.#onStatus(status);
  }

  #onStatus(status: Status): void {
    const server = String(status.data);
    switch (String(status.type)) {
      case 'disconnect':
        this.#connected = false;
        this.report({ kind: 'disconnected', message: 'the connection to nats was lost', server });
        return call(this.#lost);
      case 'reconnect':
        this.#connected = true;
        this.report({ kind: 'reconnected', message: 'the connection to nats stands again; events in between are lost', server });
        call(this.#waiting);
        return call(this.#reconnected);
      case 'reconnecting':
        return this.report({ kind: 'reconnecting', message: 'connecting to nats again', server });
      case 'staleConnection':
        return this.report({ kind: 'error', message: 'the nats server does not answer pings' });
      case 'update':
        return this.report({ kind: 'servers-changed', message: 'the nats cluster changed', servers: JSON.stringify(status.data) });
      case 'ldm':
        return this.report({ kind: 'lame-duck', message: 'the nats server is about to stop', server });
      case 'error':
        return this.#onError(status, server);
    }
  }

  #onError(status: Status, code: string): void {
    const { permissionContext } = status;
    if (permissionContext !== undefined) {
      const { operation, subject } = permissionContext;
      this.report({ kind: 'permission', message: 'the nats server refuses a subject', operation, subject });
      if (operation === 'publish') for (const listener of [...this.#refused]) listener(subject);
    } else if (/slow consumer/i.test(code)) {
      this.report({ kind: 'slow-consumer', message: 'the nats server calls this connection a slow consumer' });
    } else {
      this.report({ kind: 'error', message: 'nats reports an error', code });
    }
  }

  #onClosed(error: Error | undefined): void {
    const wasOurs = this.#closed;
    this.#connected = false;
    this.#closed = true;
    call(this.#waiting);
    call(this.#lost);
    const message = wasOurs ? 'the connection to nats is closed' : 'the connection to nats ended for good';
    this.report({ kind: 'closed', message, code: error?.message ?? '' });
  }
}

function call(listeners: ReadonlySet<() => void>): void {
  for (const listener of [...listeners]) listener();
}

function sendError(error: unknown, subject: string): SessionError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'MAX_PAYLOAD_EXCEEDED') {
    return new SessionError('TOO_LARGE', `the message to ${subject} is larger than the NATS server takes`, { cause: error });
  }
  if (code === 'CONNECTION_CLOSED' || code === 'CONNECTION_DRAINING') return new SessionError('SHUTTING_DOWN', 'the bus is closed', { cause: error });
  if (code === 'BAD_HEADER') return new SessionError('VALIDATION', `a header of the message to ${subject} cannot travel`, { cause: error });
  return new SessionError('INTERNAL', 'internal error', { cause: error });
}

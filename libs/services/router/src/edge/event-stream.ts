/** Server-sent events to one client: headers, keep-alives, and no more than the client takes. */
import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '@sessions/host';

export const KEEPALIVE_MS = 15_000;
const RECONNECT_MS = 1_000;

/** Writes events to one response, headers with the first. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  readonly #isAllowed: () => boolean;
  #keepalive: Timer | undefined;
  #isOver = false;

  constructor(response: ServerResponse, clock: Clock, isAllowed: () => boolean) {
    this.#response = response;
    this.#clock = clock;
    this.#isAllowed = isAllowed;
  }

  get isOpen(): boolean {
    return this.#response.headersSent;
  }

  get isOver(): boolean {
    return this.#isOver || this.#response.destroyed;
  }

  get behindBytes(): number {
    return this.#response.writableLength;
  }

  /** Resolves when the client has taken enough for more. */
  async send(event: string, data: unknown, id?: string): Promise<void> {
    if (this.isOver) return;
    if (!this.#isAllowed()) return this.end();
    this.open();
    const text = `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
    if (this.#response.write(text)) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        this.#response.off('drain', finish).off('close', finish);
        resolve();
      };
      this.#response.on('drain', finish).on('close', finish);
    });
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#keepalive?.cancel();
    if (this.isOpen) this.#response.end();
  }

  /** Sends the headers; a client then knows that it is heard. */
  open(): void {
    if (this.isOpen) return;
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-store',
      'x-accel-buffering': 'no',
    });
    this.#response.write(`retry: ${RECONNECT_MS}\n\n`);
    this.#keepaliveLater();
  }

  #keepaliveLater(): void {
    this.#keepalive = this.#clock.setTimer(
      KEEPALIVE_MS,
      () => {
        if (this.isOver) return;
        this.#response.write(': keepalive\n\n');
        this.#keepaliveLater();
      },
      { keepsAlive: false },
    );
  }
}

/**
 * A client's socket that is given whole frames piece by piece: the next when it has taken the one
 * before, so that what waits is held by us, where it is shared and counted, and not by the socket.
 */
import type { Duplex } from 'node:stream';

export class PacedSocket {
  readonly #socket: Duplex;
  readonly #onTaken: (wasSlow: boolean) => void;
  #isBusy = false;
  /** The kernel's buffer had no room for the last piece. */
  #isSlow = false;

  /** @param onTaken told when a piece was taken, or the socket has failed; slow: not at once */
  constructor(socket: Duplex, onTaken: (wasSlow: boolean) => void) {
    this.#socket = socket;
    this.#onTaken = onTaken;
  }

  /** True until the last piece was taken. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Writes one piece; only while it is not busy. */
  write(parts: readonly Buffer[]): void {
    const last = parts.at(-1);
    if (last === undefined) return;
    this.#isBusy = true;
    if (parts.length > 1) this.#socket.cork();
    for (const part of parts.slice(0, -1)) this.#socket.write(part);
    this.#socket.write(last, this.#taken);
    if (parts.length > 1) this.#socket.uncork();
    this.#isSlow = this.#socket.writableLength > 0;
  }

  /** Writes all at once, whether or not it is busy: the last that is sent. */
  writeLast(parts: readonly Buffer[]): void {
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  readonly #taken = (): void => {
    this.#isBusy = false;
    this.#onTaken(this.#isSlow);
  };
}

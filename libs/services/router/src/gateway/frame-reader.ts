/** Reads the frames of one client in their order, also where one of them takes several turns of the loop. */
import { isSmallFrame, readLargeFrame, readSmallFrame, type BoundedFrame } from './frame-bounds';

/** Where the frames come from. */
export interface FrameSource {
  pause(): void;
  resume(): void;
}

export class FrameReader {
  readonly #source: FrameSource;
  /** Frames that are not read yet: a large one, and those that came behind it in one piece of the stream. */
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(source: FrameSource) {
    this.#source = source;
  }

  /** @returns undefined for a large frame, and while one is read: such have to wait for their turn */
  readNow(bytes: Buffer): BoundedFrame | undefined {
    return this.#waiting === 0 && isSmallFrame(bytes) ? readSmallFrame(bytes) : undefined;
  }

  /** The client is not heard until all of them are read. */
  async readInTurn(bytes: Buffer): Promise<BoundedFrame> {
    this.#waiting += 1;
    this.#source.pause();
    const read = this.#last.then(() => (isSmallFrame(bytes) ? readSmallFrame(bytes) : readLargeFrame(bytes)));
    this.#last = read;
    try {
      return await read;
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#source.resume();
    }
  }
}

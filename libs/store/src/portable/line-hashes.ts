/** SHA-256 of each line of a file that comes in chunks: of its bytes without the newline. Memory: one hash. */
import { createHash, type Hash } from 'node:crypto';

const NEWLINE = 0x0a;

export class LineHashes {
  #line: Hash | undefined;
  #lineBytes = 0;
  #longest = 0;

  /** Bytes of the longest line so far, an unfinished one included. */
  get longestBytes(): number {
    return Math.max(this.#longest, this.#lineBytes);
  }

  /** @returns hashes of the lines that end in this chunk, lower-case hex. */
  push(chunk: Buffer): string[] {
    const done: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const hash = (this.#line ?? createHash('sha256')).update(chunk.subarray(start, end));
      done.push(hash.digest('hex'));
      this.#longest = Math.max(this.#longest, this.#lineBytes + end - start);
      this.#line = undefined;
      this.#lineBytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) {
      this.#line = (this.#line ?? createHash('sha256')).update(chunk.subarray(start));
      this.#lineBytes += chunk.length - start;
    }
    return done;
  }
}

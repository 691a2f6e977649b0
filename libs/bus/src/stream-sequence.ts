/** The numbers of a stream's messages: a lost one is noticed, never skipped over. */
import { SessionError } from '@sessions/domain';

/** Counts the messages of one stream on the reader's side. */
export class StreamSequence {
  private last = 0;

  /** @throws NO_OWNER (the stream is not whole; ask again) when `seq` is not the next number */
  accept(seq: number): void {
    if (seq !== this.last + 1) {
      throw new SessionError('NO_OWNER', `the stream lost messages: ${seq} came after ${this.last}`, {
        facts: { gap: true, expected: this.last + 1, received: seq },
      });
    }
    this.last = seq;
  }

  /** The end names the last number, so a lost last message is noticed too. @throws NO_OWNER */
  end(lastSeq: number): void {
    if (lastSeq !== this.last) this.accept(lastSeq + 1);
  }
}

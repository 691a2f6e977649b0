/**
 * One stream of answers between a handler and its reader. At most `STREAM_CREDIT` answers wait: the
 * handler is asked for the next one only while there is credit, so a slow reader slows the handler
 * and holds a bounded number of answers, whatever the stream's length.
 */
import { SessionError } from '@sessions/domain';
import type { BusClock } from '../clock';
import { STREAM_CREDIT } from '../limits';
import { StreamSequence } from '../stream-sequence';

interface Frame {
  readonly seq: number;
  readonly value: unknown;
}

type Ending = { readonly lastSeq: number; readonly error: SessionError | undefined };

export interface StreamChannelOptions {
  readonly clock: BusClock;
  /** Longest wait of the handler's side for credit. */
  readonly creditMs: number;
  /** Longest silence in both directions. */
  readonly silenceMs: number;
  /** For tests: true loses that message on its way. */
  readonly loses?: (seq: number) => boolean;
}

export class StreamChannel {
  private readonly waiting: Frame[] = [];
  private readonly sequence = new StreamSequence();
  private sent = 0;
  private ending: Ending | undefined;
  private broken: { readonly reason: unknown } | undefined;
  private wakeReader: (() => void) | undefined;
  private wakeSender: (() => void) | undefined;
  private cancelSilence: (() => void) | undefined;
  /** When silence ends the stream, on the process's clock. */
  silentUntilMs = 0;

  constructor(private readonly options: StreamChannelOptions) {
    this.traffic();
  }

  /** Resolves when another answer may be sent. @throws OVERLOADED when the reader takes nothing */
  async credit(): Promise<void> {
    if (this.waiting.length < STREAM_CREDIT || this.broken) return;
    let late = false;
    const cancel = this.options.clock.startTimer(this.options.creditMs, () => {
      late = true;
      this.wakeSender?.();
    });
    await new Promise<void>((resolve) => (this.wakeSender = resolve));
    this.wakeSender = undefined;
    cancel();
    if (late && this.waiting.length >= STREAM_CREDIT) {
      throw new SessionError('OVERLOADED', `the reader of the stream took nothing for ${this.options.creditMs} ms`);
    }
  }

  send(value: unknown): void {
    this.sent += 1;
    this.traffic();
    if (!this.options.loses?.(this.sent)) this.waiting.push({ seq: this.sent, value });
    this.wakeReader?.();
  }

  /** The handler's side is over; what waits is still read. */
  end(error?: SessionError): void {
    this.ending ??= { lastSeq: this.sent, error };
    this.cancelSilence?.();
    this.wakeReader?.();
  }

  /** Both sides are over at once: what waits is dropped, the reader fails with `reason`. */
  break(reason: unknown): void {
    if (this.broken) return;
    this.broken = { reason };
    this.waiting.length = 0;
    this.cancelSilence?.();
    this.wakeReader?.();
    this.wakeSender?.();
  }

  /** The next answer. @throws the end's error; what `break` was given; NO_OWNER for a lost answer */
  async next(): Promise<IteratorResult<unknown, undefined>> {
    for (;;) {
      if (this.broken) throw this.broken.reason;
      const frame = this.waiting.shift();
      if (frame) {
        this.sequence.accept(frame.seq);
        if (!this.ending) this.traffic();
        this.wakeSender?.();
        return { done: false, value: frame.value };
      }
      if (this.ending) {
        this.sequence.end(this.ending.lastSeq);
        if (this.ending.error) throw this.ending.error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => (this.wakeReader = resolve));
      this.wakeReader = undefined;
    }
  }

  /** Called when the silence lasted too long. */
  onSilence: () => void = () => undefined;

  private traffic(): void {
    const { clock, silenceMs } = this.options;
    this.silentUntilMs = clock.nowMs() + silenceMs;
    this.cancelSilence ??= clock.startTimer(silenceMs, () => this.silenceOver());
  }

  /** One timer at a time: it is moved when it fires, not at every answer. */
  private silenceOver(): void {
    const { clock } = this.options;
    this.cancelSilence = undefined;
    if (this.ending || this.broken) return;
    const left = this.silentUntilMs - clock.nowMs();
    if (left <= 0) this.onSilence();
    else this.cancelSilence = clock.startTimer(left, () => this.silenceOver());
  }
}

/**
 * The reader's side of one stream of answers. What waits here is bounded by the credit; a missing
 * number, a lost connection or a server that fell silent ends the stream as NO_OWNER with the fact
 * `gap`, so nothing is skipped unnoticed.
 */
import { CALL_HEADER } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { Msg } from 'nats';
import type { MethodShape } from '../bus';
import type { Headers } from '../call-meta';
import { deadlineError } from '../deadlines';
import { errorFromHeaders } from '../status';
import type { OpenStream } from '../stream-iterator';
import { StreamSequence } from '../stream-sequence';
import type { BusTiming } from '../timing';
import { refusedError } from './inbox';
import type { Inbox, InboxPlace, Lost } from './inbox';
import type { NatsLink } from './link';
import { BEATS_MISSED_MAX, BEAT_HEADER, CONTROL, CREDIT_BATCH, NO_RESPONDERS, readHeaders } from './wire';

export interface StreamReaderOptions {
  readonly link: NatsLink;
  readonly inbox: Inbox;
  readonly timing: BusTiming;
  readonly subject: string;
  readonly method: MethodShape;
  /** Longest silence in both directions, milliseconds. */
  readonly silenceMs: number;
  readonly signal?: AbortSignal;
}

interface Frame {
  readonly seq: number;
  readonly data: Uint8Array;
}

/** `lastSeq` undefined: the end did not come from the server. */
interface Ending {
  readonly lastSeq: number | undefined;
  readonly error: unknown;
}

export class StreamReader implements OpenStream {
  readonly #options: StreamReaderOptions;
  readonly #place: InboxPlace;
  readonly #waiting: Frame[] = [];
  readonly #sequence = new StreamSequence();
  /** Where the server takes credit; known from its first message on. */
  #control: string | undefined;
  #received = 0;
  #ungranted = 0;
  #grantedAtMs: number;
  #heardAtMs: number;
  #silentUntilMs = 0;
  #ending: Ending | undefined;
  #isLeft = false;
  #wake: (() => void) | undefined;
  #cancelTimer: () => void = () => undefined;

  constructor(options: StreamReaderOptions) {
    this.#options = options;
    const { inbox, link, subject, signal } = options;
    this.#grantedAtMs = this.#heardAtMs = link.clock.nowMs();
    this.#place = inbox.open({ subject, message: (msg) => this.#onMessage(msg), lost: (why) => this.#onLost(why) });
    this.#traffic();
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  open(payload: Uint8Array, headers: Headers): void {
    const { link, subject } = this.#options;
    try {
      link.send(subject, payload, { headers, reply: this.#place.reply });
    } catch (error) {
      this.leave();
      throw error;
    }
    this.#watchLater();
  }

  async next(): Promise<IteratorResult<unknown, undefined>> {
    for (;;) {
      const frame = this.#waiting.shift();
      if (frame !== undefined) {
        this.#sequence.accept(frame.seq);
        this.#grant();
        const { data } = frame;
        return { done: false, value: this.#options.method.responseDeserialize(Buffer.from(data.buffer, data.byteOffset, data.byteLength)) };
      }
      if (this.#ending !== undefined) {
        const { lastSeq, error } = this.#ending;
        if (lastSeq !== undefined) this.#sequence.end(lastSeq);
        if (error !== undefined) throw error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }

  leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    if (this.#ending === undefined) this.#end({ lastSeq: undefined, error: undefined });
    this.#waiting.length = 0;
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => {
    this.#waiting.length = 0;
    this.#end({ lastSeq: undefined, error: this.#options.signal?.reason });
  };

  #onMessage(msg: Msg): void {
    const { link, subject } = this.#options;
    if (msg.headers?.code === NO_RESPONDERS) {
      return this.#failUnheard(new SessionError('NO_OWNER', `nobody serves ${subject}`, { facts: { subject } }));
    }
    const headers = readHeaders(msg.headers);
    const seqText = headers[CALL_HEADER.STREAM_SEQ];
    // A refusal before there was a stream: no number, no control subject.
    if (seqText === undefined) return this.#failUnheard(errorFromHeaders(headers) ?? this.#gap('a message without number'));
    if (msg.reply === undefined || msg.reply === '') return;
    if (this.#ending !== undefined) return this.#sendAway(msg.reply);
    this.#control ??= msg.reply;
    // During a hand-over two servers may hear the call: the first is read, the other sent away.
    if (msg.reply !== this.#control) return link.sendIfConnected(msg.reply, CONTROL.CANCEL);
    this.#heardAtMs = link.clock.nowMs();
    const seq = Number(seqText);
    if (headers[BEAT_HEADER] !== undefined) {
      link.sendIfConnected(this.#control, CONTROL.HERE);
      if (seq !== this.#received) this.#fail(this.#gap(`${seq - this.#received} messages were lost`));
    } else if (headers[CALL_HEADER.STREAM_END] !== undefined) {
      this.#end({ lastSeq: seq, error: errorFromHeaders(headers) });
    } else {
      this.#received = seq;
      this.#traffic();
      this.#waiting.push({ seq, data: msg.data });
      this.#wake?.();
    }
  }

  #onLost(why: Lost): void {
    const { subject } = this.#options;
    if (why === 'refused') this.#failUnheard(refusedError(subject));
    else if (why === 'closed') this.#failUnheard(new SessionError('SHUTTING_DOWN', 'the bus is closed'));
    else this.#fail(this.#gap('the connection was lost'));
  }

  #gap(what: string): SessionError {
    const { subject } = this.#options;
    return new SessionError('NO_OWNER', `the stream of ${subject} is not whole: ${what}`, { facts: { gap: true, subject } });
  }

  /** What has arrived is still read, then comes the error. */
  #fail(error: SessionError): void {
    this.#end({ lastSeq: undefined, error });
  }

  /** No server works on this stream. */
  #failUnheard(error: SessionError): void {
    this.#fail(error);
    this.#cancelTimer();
    this.#place.close();
  }

  #end(ending: Ending): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    const { link, timing } = this.#options;
    this.#cancelTimer();
    this.#wake?.();
    if (ending.lastSeq !== undefined) return this.#place.close();
    // An end that the server does not know of. One that has not shown itself yet is told when it does.
    if (this.#control === undefined) this.#cancelTimer = link.clock.startTimer(timing.streamBeatMs, () => this.#place.close());
    else this.#sendAway(this.#control);
  }

  #sendAway(control: string): void {
    this.#options.link.sendIfConnected(control, CONTROL.CANCEL);
    this.#place.close();
    this.#cancelTimer();
  }

  #grant(): void {
    const { link, timing } = this.#options;
    this.#ungranted += 1;
    if (this.#ending !== undefined || this.#control === undefined) return;
    this.#traffic();
    const now = link.clock.nowMs();
    // A slow reader grants each answer by itself, so that the sender sees that it reads.
    if (this.#ungranted < CREDIT_BATCH && now - this.#grantedAtMs < timing.streamCreditMs / 4) return;
    link.sendIfConnected(this.#control, `${CONTROL.CREDIT}${this.#ungranted}`);
    this.#ungranted = 0;
    this.#grantedAtMs = now;
  }

  #traffic(): void {
    this.#silentUntilMs = this.#options.link.clock.nowMs() + this.#options.silenceMs;
  }

  /** One timer for silence of the handler, of the server, and for a server that never came. */
  #watchLater(): void {
    const { link, method, silenceMs } = this.#options;
    const dueAtMs = Math.min(this.#silentUntilMs, this.#aliveUntilMs());
    this.#cancelTimer = link.clock.startTimer(Math.max(1, dueAtMs - link.clock.nowMs()), () => {
      const now = link.clock.nowMs();
      if (now >= this.#silentUntilMs) this.#fail(deadlineError(method, silenceMs));
      else if (now >= this.#aliveUntilMs()) this.#fail(this.#gap('its server fell silent'));
      else this.#watchLater();
    });
  }

  #aliveUntilMs(): number {
    const { streamBeatMs } = this.#options.timing;
    return this.#heardAtMs + (this.#control === undefined ? streamBeatMs : BEATS_MISSED_MAX * streamBeatMs);
  }
}

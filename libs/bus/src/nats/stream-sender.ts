/**
 * The server's side of one stream of answers.
 *
 * Each message carries its number and, as reply subject, where this side takes `credit <n>`, `here`
 * and `cancel`. At most `STREAM_CREDIT` messages are sent ahead of the reader. The handler is left
 * alone (its signal aborts) when the reader cancels, grants nothing for `streamCreditMs`, has no
 * subscription any more, or does not answer beats: one that died holds nothing here for longer.
 */
import { CALL_HEADER } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { Msg } from 'nats';
import type { CallContext, CallMeta, MethodShape } from '../bus';
import { deadlineError } from '../deadlines';
import { MAX_PAYLOAD_BYTES, STREAM_CREDIT, checkSize } from '../limits';
import { STATUS_OK, errorToHeaders, toSessionError } from '../status';
import type { BusTiming } from '../timing';
import type { RawHandler } from './endpoints';
import type { Inbox, InboxPlace } from './inbox';
import type { NatsLink } from './link';
import { BEATS_MISSED_MAX, BEAT_HEADER, CONTROL, NO_RESPONDERS } from './wire';

export interface StreamSenderOptions {
  readonly link: NatsLink;
  readonly inbox: Inbox;
  readonly timing: BusTiming;
  readonly reply: string;
  readonly method: MethodShape;
  /** Longest silence in both directions, milliseconds. */
  readonly silenceMs: number;
  readonly loses?: (seq: number) => boolean;
}

export class StreamSender {
  readonly #options: StreamSenderOptions;
  readonly #serving = new AbortController();
  readonly #control: InboxPlace;
  readonly #endReconnect: () => void;
  #cancelSilence: () => void = () => undefined;
  #cancelBeat: () => void = () => undefined;
  #wake: (() => void) | undefined;
  #credit = STREAM_CREDIT;
  #sent = 0;
  #silentUntilMs = 0;
  #heardAtMs: number;

  constructor(options: StreamSenderOptions) {
    this.#options = options;
    const { inbox, link, reply } = options;
    this.#heardAtMs = link.clock.nowMs();
    this.#control = inbox.open({ subject: reply, message: (msg) => this.#onControl(msg), lost: () => undefined });
    // The beat names the last number: a reader that missed something on the way learns it at once.
    this.#endReconnect = link.onReconnect(() => {
      this.#heardAtMs = link.clock.nowMs();
      this.#sendBeat();
      this.#wake?.();
    });
    this.#traffic();
    this.#waitForSilence(options.silenceMs);
    this.#sendBeat();
    this.#beatLater();
  }

  /** Ends the stream from outside; its reader gets `error`. */
  stop(error: SessionError): void {
    this.#serving.abort(error);
  }

  /** Never rejects. @returns what the stream was refused with */
  async run(handler: RawHandler, request: unknown, meta: CallMeta): Promise<SessionError | undefined> {
    const { signal } = this.#serving;
    const context = this.#contextOf(meta);
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    aborted.catch(() => undefined);
    let answers: AsyncIterator<unknown> | undefined;
    try {
      answers = (handler(request, context) as AsyncIterable<unknown>)[Symbol.asyncIterator]();
      for (;;) {
        await Promise.race([this.#maySend(), aborted]);
        const next = await Promise.race([answers.next(), aborted]);
        if (next.done === true) break;
        this.#send(next.value);
      }
      answers = undefined;
      this.#end(undefined);
      return undefined;
    } catch (thrown) {
      const error = toSessionError(thrown);
      this.#end(error);
      this.#serving.abort(error);
      return error;
    } finally {
      this.#finish();
      // A handler that hangs in its own clean-up keeps nobody waiting, and has nobody left to tell.
      void answers?.return?.()?.catch(() => undefined);
    }
  }

  #contextOf(meta: CallMeta): CallContext {
    const readSilentUntilMs = (): number => this.#silentUntilMs;
    return {
      ...meta,
      signal: this.#serving.signal,
      // Traffic moves it.
      get deadlineAtMs() {
        return readSilentUntilMs();
      },
    };
  }

  /** Resolves when there is credit and a connection. @throws OVERLOADED when the reader grants nothing */
  async #maySend(): Promise<void> {
    const { link, timing } = this.#options;
    if (this.#credit > 0 && link.connected) return;
    let isLate = false;
    const cancel = link.clock.startTimer(timing.streamCreditMs, () => {
      isLate = true;
      this.#wake?.();
    });
    try {
      while (!isLate && !(this.#credit > 0 && link.connected)) await new Promise<void>((resolve) => (this.#wake = resolve));
    } finally {
      cancel();
      this.#wake = undefined;
    }
    if (this.#credit <= 0 || !link.connected) {
      throw new SessionError('OVERLOADED', `the reader of the stream took nothing for ${timing.streamCreditMs} ms`);
    }
  }

  #send(value: unknown): void {
    const { link, method, reply, loses } = this.#options;
    const payload = method.responseSerialize(value as never);
    checkSize(`the answer of ${method.path}`, payload.length, MAX_PAYLOAD_BYTES);
    this.#credit -= 1;
    this.#sent += 1;
    this.#traffic();
    if (loses?.(this.#sent) === true) return;
    link.sendIfConnected(reply, payload, { headers: { [CALL_HEADER.STREAM_SEQ]: String(this.#sent) }, reply: this.#control.reply });
  }

  #sendBeat(): void {
    const { link, reply } = this.#options;
    const headers = { [BEAT_HEADER]: '1', [CALL_HEADER.STREAM_SEQ]: String(this.#sent) };
    link.sendIfConnected(reply, undefined, { headers, reply: this.#control.reply });
  }

  #end(error: SessionError | undefined): void {
    const { link, reply } = this.#options;
    const status = error === undefined ? { [CALL_HEADER.STATUS]: String(STATUS_OK) } : errorToHeaders(error);
    const headers = { ...status, [CALL_HEADER.STREAM_SEQ]: String(this.#sent), [CALL_HEADER.STREAM_END]: '1' };
    link.sendIfConnected(reply, undefined, { headers, reply: this.#control.reply });
  }

  #onControl(msg: Msg): void {
    // The server says that nobody is left at the reader's subject.
    if (msg.headers?.code === NO_RESPONDERS) return this.#serving.abort(new DOMException('the reader of the stream is gone', 'AbortError'));
    const text = msg.string();
    this.#heardAtMs = this.#options.link.clock.nowMs();
    if (text === CONTROL.CANCEL) return this.#serving.abort(new DOMException('the reader left the stream', 'AbortError'));
    if (!text.startsWith(CONTROL.CREDIT)) return;
    const granted = Number(text.slice(CONTROL.CREDIT.length));
    if (!Number.isSafeInteger(granted) || granted < 1) return;
    this.#credit = Math.min(STREAM_CREDIT, this.#credit + granted);
    this.#traffic();
    this.#wake?.();
  }

  #traffic(): void {
    this.#silentUntilMs = this.#options.link.clock.nowMs() + this.#options.silenceMs;
  }

  /** One timer at a time: it is moved when it fires, not at every answer. */
  #waitForSilence(delayMs: number): void {
    const { link, method, silenceMs } = this.#options;
    this.#cancelSilence = link.clock.startTimer(delayMs, () => {
      const left = this.#silentUntilMs - link.clock.nowMs();
      if (left <= 0) this.#serving.abort(deadlineError(method, silenceMs));
      else this.#waitForSilence(left);
    });
  }

  #beatLater(): void {
    const { link, timing } = this.#options;
    this.#cancelBeat = link.clock.startTimer(timing.streamBeatMs, () => {
      const silentMs = link.clock.nowMs() - this.#heardAtMs;
      // While our own connection is away the reader's silence says nothing of the reader.
      if (link.connected && silentMs > BEATS_MISSED_MAX * timing.streamBeatMs) {
        return this.#serving.abort(new SessionError('OVERLOADED', 'the reader of the stream is gone', { facts: { silentMs } }));
      }
      this.#sendBeat();
      this.#beatLater();
    });
  }

  #finish(): void {
    this.#control.close();
    this.#endReconnect();
    this.#cancelSilence();
    this.#cancelBeat();
  }
}

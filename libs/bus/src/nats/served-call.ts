/** The server's side of one unary call: the handler runs until it answers, the caller leaves or the time is over. */
import { CALL_HEADER } from '@sessions/contracts';
import type { SessionError } from '@sessions/domain';
import type { CallContext, CallMeta, MethodShape } from '../bus';
import { deadlineError } from '../deadlines';
import { MAX_PAYLOAD_BYTES, checkSize } from '../limits';
import { STATUS_OK, errorToHeaders, toSessionError } from '../status';
import type { RawHandler } from './endpoints';
import type { Inbox, InboxPlace } from './inbox';
import type { NatsLink } from './link';
import { CONTROL, WORKING_AFTER_MS, WORKING_HEADER } from './wire';

export interface ServedCallOptions {
  readonly link: NatsLink;
  readonly inbox: Inbox;
  readonly reply: string;
  readonly method: MethodShape;
  readonly timeoutMs: number;
}

const OK_HEADERS = { [CALL_HEADER.STATUS]: String(STATUS_OK) };

export class ServedCall {
  readonly #options: ServedCallOptions;
  readonly #serving = new AbortController();
  readonly #deadlineAtMs: number;

  constructor(options: ServedCallOptions) {
    this.#options = options;
    this.#deadlineAtMs = options.link.clock.nowMs() + options.timeoutMs;
  }

  /** Never rejects. @returns what the call was refused with */
  async run(handler: RawHandler, request: unknown, meta: CallMeta): Promise<SessionError | undefined> {
    const { link, method, timeoutMs } = this.#options;
    const { signal } = this.#serving;
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    let place: InboxPlace | undefined;
    const cancelWorking = link.clock.startTimer(WORKING_AFTER_MS, () => (place = this.#sayWorking()));
    const cancelDeadline = link.clock.startTimer(timeoutMs, () => this.#serving.abort(deadlineError(method, timeoutMs)));
    const context: CallContext = { ...meta, signal, deadlineAtMs: this.#deadlineAtMs };
    try {
      const answer = await Promise.race([Promise.resolve().then(() => handler(request, context)), aborted]);
      const payload = method.responseSerialize(answer as never);
      checkSize(`the answer of ${method.path}`, payload.length, MAX_PAYLOAD_BYTES);
      await this.#answer(payload, OK_HEADERS);
      return undefined;
    } catch (thrown) {
      const error = toSessionError(thrown);
      // A caller that left hears nothing, and one whose time is over does not listen any more.
      if (!signal.aborted) await this.#answer(undefined, errorToHeaders(error));
      return error;
    } finally {
      cancelWorking();
      cancelDeadline();
      place?.close();
    }
  }

  #sayWorking(): InboxPlace {
    const { inbox, link, reply } = this.#options;
    const place = inbox.open({
      subject: reply,
      message: (msg) => {
        if (msg.string() === CONTROL.CANCEL) this.#serving.abort(new DOMException('the caller left', 'AbortError'));
      },
      lost: () => undefined,
    });
    link.sendIfConnected(reply, undefined, { headers: { [WORKING_HEADER]: '1' }, reply: place.reply });
    return place;
  }

  /** The caller's own connection may stand while ours is made again: its answer waits as long as it does. */
  async #answer(payload: Uint8Array | undefined, headers: Readonly<Record<string, string>>): Promise<void> {
    const { link, reply, method } = this.#options;
    if (!link.connected && !(await link.whenConnected(Math.max(0, this.#deadlineAtMs - link.clock.nowMs())))) return;
    try {
      link.send(reply, payload, { headers });
    } catch (error) {
      const { reason } = toSessionError(error);
      link.report({ kind: 'error', message: 'an answer could not be sent', method: method.path, reason });
      if (payload !== undefined) link.sendIfConnected(reply, undefined, { headers: errorToHeaders(toSessionError(error)) });
    }
  }
}

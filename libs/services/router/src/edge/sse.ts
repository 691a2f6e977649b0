/**
 * A session's history as server-sent events.
 *
 *     retry: 1000
 *     event: history   id: <sessionId>:<messageSeq>   the page; with limit or cursor again at changes
 *     event: message   id: <sessionId>:<messageSeq>   one append
 *     event: reset     the key has another transcript; its `history` follows
 *     event: sessions.changed                         the row changed
 *     event: end       the session was deleted; the stream ends
 *     : keepalive      every 15 s
 *
 * A reader that went away asks again with `Last-Event-ID` and misses nothing; of a transcript that was
 * cut, whose messages have had other numbers, a number alone begins anew, and `:<messageId>` behind it
 * says which message is meant. Reading goes no faster than the client takes: what is behind it stays in the store.
 */
import type { ServerResponse } from 'node:http';
import { GetHistoryRequest, HistoryPosition } from '@sessions/contracts';
import type { GetHistoryResponse, HistoryMessage, TranscriptReset } from '@sessions/contracts';
import { toSessionError } from '@sessions/bus';
import type { CallContext } from '@sessions/bus';
import { sleep } from '@sessions/host';
import { isRestricted } from '../auth/scopes';
import { eventForRestricted } from '../auth/shown-entry';
import type { HandlerDeps } from '../deps';
import type { FanOut } from '../fan-out';
import { changedPayloadOf } from '../gateway/events';
import { toClientMessage } from '../gateway/messages';
import type { GatewayRows } from '../gateway/rows';
import { PageBuilder, getHistory, readPage } from '../handlers/get-history';
import type { WholePage } from '../handlers/get-history';
import { EventStream } from './event-stream';
import { toHistoryJson } from './history-page';
import type { HistoryQuery } from './history-page';

/** A page that is shown anew at each change is shown at most so often, milliseconds. */
export const PAGE_INTERVAL_MS = 250;
/** Notices of row changes are left out for a client that is behind by this much, bytes. */
const BEHIND_BYTES_MAX = 1024 * 1024;

export interface SseDeps extends HandlerDeps {
  readonly fanOut: FanOut;
  readonly rows: GatewayRows;
  /** Aborts when the router drains: a live view would never end by itself. */
  readonly closing: AbortSignal;
}

export interface SseRequest {
  readonly key: string;
  readonly query: HistoryQuery;
  /** `Last-Event-ID`; anything but an id of ours begins anew. */
  readonly lastEventId: string | undefined;
  /** Asked before each event. */
  readonly isAllowed: () => boolean;
}

/** Resolves when the stream has ended. @throws SESSION_NOT_FOUND and others before anything is sent */
export async function streamHistory(deps: SseDeps, response: ServerResponse, request: SseRequest, call: CallContext): Promise<void> {
  const context = { ...call, signal: AbortSignal.any([call.signal, deps.closing]) };
  const { limit, beforeSeq, includeTools, isPaged } = request.query;
  const after = isPaged ? undefined : parseEventId(request.lastEventId);
  const read = GetHistoryRequest.create({ key: request.key, limit, beforeSeq, includeTools, follow: true, after });
  const stream = new EventStream(response, deps.clock, request.isAllowed);
  const live = new LiveView(deps, stream, read, isPaged, context);
  try {
    for await (const { item } of getHistory(deps, read, context, (key) => live.begin(key))) {
      if (item !== undefined) await live.show(item);
      if (stream.isOver) return;
    }
  } catch (thrown) {
    // Once the stream is open its end is all that can be said: the client asks again.
    if (!stream.isOpen) throw thrown;
    if (toSessionError(thrown).reason === 'INTERNAL') deps.logger.error('a live view ended', { err: thrown });
  } finally {
    live.stop();
    stream.end();
  }
}

class LiveView {
  readonly #deps: SseDeps;
  readonly #stream: EventStream;
  readonly #read: GetHistoryRequest;
  readonly #isPaged: boolean;
  readonly #context: CallContext;
  readonly #pages = new PageBuilder();
  #endChanges: (() => void) | undefined;
  #pageShownAtMs = -Infinity;
  #pagesShown = 0;
  #isPageDue = false;
  #showsPages = false;

  constructor(deps: SseDeps, stream: EventStream, read: GetHistoryRequest, isPaged: boolean, context: CallContext) {
    this.#deps = deps;
    this.#stream = stream;
    this.#read = read;
    this.#isPaged = isPaged;
    this.#context = context;
  }

  /** The session is there: a client that goes on where it was has to hear so, though nothing has come since. */
  begin(key: string): void {
    this.#stream.open();
    this.#followChanges(key);
  }

  async show(item: NonNullable<GetHistoryResponse['item']>): Promise<void> {
    switch (item.$case) {
      case 'page': {
        const page = this.#pages.add(item.value);
        if (page !== undefined) await this.#showPage(page);
        return;
      }
      case 'message':
        return this.#isPaged ? this.#showPageSoon() : this.#showMessage(item.value);
      case 'reset':
        return this.#showReset(item.value);
      case 'end':
        await this.#stream.send('end', { sessionKey: this.#read.key, reason: item.value.reason });
        this.#stream.end();
    }
  }

  stop(): void {
    this.#endChanges?.();
  }

  async #showPage(page: WholePage): Promise<void> {
    this.#pagesShown += 1;
    this.#pageShownAtMs = this.#deps.clock.monotonicMs();
    const last = page.records.at(-1);
    await this.#stream.send('history', toHistoryJson(page), page.sessionId === undefined ? undefined : eventId(page.sessionId, last?.messageSeq));
  }

  async #showMessage({ sessionKey, sessionId, record }: HistoryMessage): Promise<void> {
    const whole = record === undefined ? undefined : this.#pages.addMessage(record);
    const message = whole === undefined ? undefined : toClientMessage(whole);
    if (whole === undefined || message === undefined) return;
    const { recordId, messageSeq } = whole;
    await this.#stream.send('message', { sessionKey, sessionId, message, messageId: recordId, messageSeq }, eventId(sessionId, messageSeq));
  }

  async #showReset({ previousSessionId, sessionId, reason }: TranscriptReset): Promise<void> {
    await this.#stream.send('reset', { sessionKey: this.#read.key, previousSessionId, sessionId, reason });
  }

  /** Appends that come together are shown together; the newest state is always shown. */
  #showPageSoon(): void {
    this.#isPageDue = true;
    if (!this.#showsPages) void this.#showPagesWhileDue();
  }

  /** One after the other, so that none is shown behind a newer one. */
  async #showPagesWhileDue(): Promise<void> {
    this.#showsPages = true;
    try {
      while (this.#isPageDue && !this.#stream.isOver) {
        const waitMs = this.#pageShownAtMs + PAGE_INTERVAL_MS - this.#deps.clock.monotonicMs();
        if (waitMs > 0) await sleep(this.#deps.clock, waitMs);
        // What is appended from here on asks for a page of its own.
        this.#isPageDue = false;
        const shownBefore = this.#pagesShown;
        const page = await readPage(this.#deps, this.#read, this.#context);
        // A reset has shown its own meanwhile: this one may be of the transcript before.
        if (this.#pagesShown !== shownBefore) this.#isPageDue = true;
        else if (!this.#stream.isOver) await this.#showPage(page);
      }
    } catch (thrown) {
      this.#deps.logger.warn('a live view ended because its page could not be read', { err: thrown });
      this.#stream.end();
    } finally {
      this.#showsPages = false;
    }
  }

  #followChanges(key: string): void {
    const isNarrowed = isRestricted(this.#context.scopes);
    this.#endChanges ??= this.#deps.fanOut.add((event) => {
      if (event.sessionKey !== key || this.#stream.behindBytes > BEHIND_BYTES_MAX) return;
      const payload = changedPayloadOf(isNarrowed ? eventForRestricted(event, this.#context.scopes) : event, this.#deps.rows);
      if (payload !== undefined) void this.#stream.send('sessions.changed', payload);
    }, (heard) => heard === key);
  }
}

const eventId = (sessionId: string, messageSeq = 0): string => `${sessionId}:${messageSeq}`;

function parseEventId(text: string | undefined): HistoryPosition | undefined {
  const [, sessionId, seq, recordId] = /^([^:\s]{1,255}):(\d{1,15})(?::([\w-]{1,128}))?$/.exec(text ?? '') ?? [];
  return sessionId === undefined || seq === undefined ? undefined : HistoryPosition.create({ sessionId, messageSeq: Number(seq), recordId });
}

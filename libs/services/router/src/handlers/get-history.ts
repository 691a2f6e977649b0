/**
 * GetHistory: one page of a session's messages, newest page first, each page ascending; with
 * `follow` what is appended from then on, across resets. The owner watches before it reads, so
 * nothing is lost or doubled between page and live view. A live view whose stream breaks (its owner
 * died, handed over, or the bus lost a message) goes on behind the last message that it gave.
 */
import { GetHistoryResponse, HistoryMessage, HistoryPage, HistoryPosition, ReadHistoryRequest } from '@sessions/contracts';
import type { GetHistoryRequest, HistoryPageEnd, ReadHistoryResponse, TranscriptRecord } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { retryDelayMs } from '@sessions/bus';
import type { CallContext } from '@sessions/bus';
import { sleep } from '@sessions/host';
import type { HandlerDeps } from '../deps';
import { resolveAddress } from './resolve-address';

export const HISTORY_LIMIT_MAX = 1000;
/** Tries to go on with a live view, one after another without a record between, and the longest wait before one. */
const RESUMES_MAX = 8;
const RESUME_WAIT_MS_MAX = 2_000;
/** What ends a stream though the session is there. */
const BROKEN: ReadonlySet<string> = new Set(['NO_OWNER', 'NOT_OWNER', 'EPOCH_SUPERSEDED', 'SHUTTING_DOWN']);

type Item = NonNullable<ReadHistoryResponse['item']>;

/**
 * @param onFound hears of the session before anything of it is given: a view that goes on may have nothing to give yet
 * @throws SESSION_NOT_FOUND for a key without a row; VALIDATION for a limit out of range or `after`
 * without `follow`
 */
export async function* getHistory(
  deps: HandlerDeps,
  request: GetHistoryRequest,
  context: CallContext,
  onFound: (key: string) => void = () => undefined,
): AsyncIterable<GetHistoryResponse> {
  const { limit = HISTORY_LIMIT_MAX, beforeSeq, includeTools, follow, after } = request;
  if (!(Number.isSafeInteger(limit) && limit >= 1 && limit <= HISTORY_LIMIT_MAX)) {
    throw new SessionError('VALIDATION', `limit must be 1 to ${HISTORY_LIMIT_MAX}`);
  }
  if (after !== undefined && !follow) throw new SessionError('VALIDATION', 'after needs follow');
  const { agentId, key } = await resolveAddress(deps, request, context);
  if (!(await deps.agents.hasStore(agentId, context))) throw notFound(key);
  const read = ReadHistoryRequest.create({ agentId, by: { $case: 'key', value: key }, beforeSeq, limit, includeTools, follow, after });
  let from = after;
  for (let broken = 0; ; broken += 1) {
    const reader = new PageReader(key, from);
    try {
      for await (const { item } of deps.stores.readHistory({ ...read, after: from }, context)) {
        if (item === undefined) continue;
        if (item.$case === 'head' && item.value.found) onFound(item.value.key);
        for (const answer of reader.take(item)) yield { item: answer };
        if (item.$case === 'records') broken = 0;
      }
      return;
    } catch (error) {
      const { position } = reader;
      const isPassing = error instanceof SessionError && BROKEN.has(error.reason) && !context.signal.aborted;
      if (!follow || position === undefined || !isPassing || broken >= RESUMES_MAX) throw error;
      from = position;
    }
    await sleep(deps.clock, Math.min(RESUME_WAIT_MS_MAX, retryDelayMs(broken + 1, Math.random())));
  }
}

const notFound = (key: string): SessionError => new SessionError('SESSION_NOT_FOUND', `Session not found: ${key}`);

/** Records of the store as pages, then as single messages. */
class PageReader {
  #key: string;
  #sessionId: string | undefined;
  /** Records that wait to be known as the last of their page; undefined: none came yet. */
  #held: TranscriptRecord[] | undefined;
  /** Behind the page: each record is a message of its own. */
  #isLive = false;
  #lastSeq = 0;
  /** Of the record with that number. */
  #lastId: string | undefined;
  /** Session id after which an earlier stream goes on. */
  #resumedId: string | undefined;

  constructor(key: string, resumed: HistoryPosition | undefined) {
    this.#key = key;
    this.#resumedId = resumed?.sessionId;
    this.#lastSeq = resumed?.messageSeq ?? 0;
    this.#lastId = resumed?.recordId;
  }

  /** Behind what was given so far; undefined while the page is not whole. */
  get position(): HistoryPosition | undefined {
    if (!this.#isLive || this.#sessionId === undefined) return undefined;
    return HistoryPosition.create({ sessionId: this.#sessionId, messageSeq: this.#lastSeq, recordId: this.#lastId });
  }

  *take(item: Item): Iterable<NonNullable<GetHistoryResponse['item']>> {
    switch (item.$case) {
      case 'head':
        if (!item.value.found) throw notFound(this.#key);
        this.#key = item.value.key;
        this.#sessionId = item.value.sessionId;
        this.#isLive = this.#resumedId !== undefined && this.#resumedId === this.#sessionId;
        if (!this.#isLive) this.#noteNothing();
        return;
      case 'records':
        for (const record of item.value.records) this.#noteSeq(record);
        if (this.#isLive) {
          for (const record of item.value.records) yield this.#message(record);
        } else if (item.value.records.length > 0) {
          if (this.#held !== undefined) yield this.#page(this.#held, true, undefined);
          this.#held = item.value.records;
        }
        return;
      case 'pageEnd':
        if (!this.#isLive) yield this.#page(this.#held ?? [], false, item.value);
        this.#held = undefined;
        this.#isLive = true;
        return;
      case 'reset':
        this.#resumedId = undefined;
        this.#isLive = false;
        this.#held = undefined;
        this.#noteNothing();
        yield { $case: 'reset', value: item.value };
        return;
      case 'end':
        yield { $case: 'end', value: item.value };
    }
  }

  /** A line in parts counts with its last one. */
  #noteSeq({ part, messageSeq = 0, recordId }: TranscriptRecord): void {
    if ((part !== undefined && part.part < part.parts) || messageSeq <= this.#lastSeq) return;
    this.#lastSeq = messageSeq;
    this.#lastId = recordId;
  }

  #noteNothing(): void {
    this.#lastSeq = 0;
    this.#lastId = undefined;
  }

  #page(records: TranscriptRecord[], continues: boolean, end: HistoryPageEnd | undefined): NonNullable<GetHistoryResponse['item']> {
    const value = HistoryPage.create({
      sessionKey: this.#key,
      sessionId: this.#sessionId,
      records,
      continues,
      hasMore: end?.hasMore ?? false,
      nextBeforeSeq: end?.nextBeforeSeq,
    });
    return { $case: 'page', value };
  }

  #message(record: TranscriptRecord): NonNullable<GetHistoryResponse['item']> {
    return { $case: 'message', value: HistoryMessage.create({ sessionKey: this.#key, sessionId: this.#sessionId ?? '', record }) };
  }
}

/** A page as a whole, for doors that answer with one document. */
export interface WholePage {
  readonly key: string;
  readonly sessionId: string | undefined;
  readonly records: readonly TranscriptRecord[];
  readonly hasMore: boolean;
  readonly nextBeforeSeq: number | undefined;
}

/** Puts the parts of pages and of long lines together. */
export class PageBuilder {
  #records: TranscriptRecord[] = [];

  /** @returns the page once its last part is here */
  add(page: HistoryPage): WholePage | undefined {
    for (const record of page.records) this.#addRecord(record);
    if (page.continues) return undefined;
    const records = this.#records;
    this.#records = [];
    const { sessionKey, sessionId, hasMore, nextBeforeSeq } = page;
    return { key: sessionKey, sessionId, records, hasMore, nextBeforeSeq };
  }

  /** @returns the record once its last part is here */
  addMessage(record: TranscriptRecord): TranscriptRecord | undefined {
    this.#addRecord(record);
    if (record.part !== undefined && record.part.part < record.part.parts) return undefined;
    return this.#records.pop();
  }

  /** Parts of one long line follow each other. */
  #addRecord(record: TranscriptRecord): void {
    const before = this.#records.at(-1);
    if (record.part === undefined || record.part.part === 1 || before === undefined) this.#records.push(record);
    else this.#records[this.#records.length - 1] = { ...before, lineJson: Buffer.concat([before.lineJson, record.lineJson]) };
  }
}

/** A page whose owner changes before it is whole is read so often in all. */
const PAGE_TRIES_MAX = 4;

/**
 * The whole page at once. Nothing of it has been given to anybody before, so where its owner leaves in the
 * middle it is read anew from the next one.
 * @throws as `getHistory`
 */
export async function readPage(deps: HandlerDeps, request: GetHistoryRequest, context: CallContext): Promise<WholePage> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await pageOf(deps, request, context);
    } catch (error) {
      const isPassing = error instanceof SessionError && BROKEN.has(error.reason) && !context.signal.aborted;
      if (!isPassing || tried >= PAGE_TRIES_MAX) throw error;
    }
    await sleep(deps.clock, Math.min(RESUME_WAIT_MS_MAX, retryDelayMs(tried, Math.random())));
  }
}

async function pageOf(deps: HandlerDeps, request: GetHistoryRequest, context: CallContext): Promise<WholePage> {
  const builder = new PageBuilder();
  for await (const { item } of getHistory(deps, { ...request, follow: false, after: undefined }, context)) {
    const whole = item?.$case === 'page' ? builder.add(item.value) : undefined;
    if (whole !== undefined) return whole;
  }
  // Half a page is none, and none is not an empty one.
  throw new SessionError('NO_OWNER', 'the owner of the store left while it was read', { retryAfterMs: RESUME_WAIT_MS_MAX });
}

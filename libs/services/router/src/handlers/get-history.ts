/**
 * GetHistory: one page of a session's messages, newest page first, each page ascending; with
 * `follow` what is appended from then on, across resets. The owner watches before it reads, so
 * nothing is lost or doubled between page and live view.
 */
import { GetHistoryResponse, HistoryMessage, HistoryPage, ReadHistoryRequest } from '@sessions/contracts';
import type { GetHistoryRequest, HistoryPageEnd, ReadHistoryResponse, TranscriptRecord } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { resolveAddress } from './resolve-address';

export const HISTORY_LIMIT_MAX = 1000;

type Item = NonNullable<ReadHistoryResponse['item']>;

/**
 * @throws SESSION_NOT_FOUND for a key without a row; VALIDATION for a limit out of range or `after`
 * without `follow`
 */
export async function* getHistory(
  deps: HandlerDeps,
  request: GetHistoryRequest,
  context: CallContext,
): AsyncIterable<GetHistoryResponse> {
  const { limit = HISTORY_LIMIT_MAX, beforeSeq, includeTools, follow, after } = request;
  if (!(Number.isSafeInteger(limit) && limit >= 1 && limit <= HISTORY_LIMIT_MAX)) {
    throw new SessionError('VALIDATION', `limit must be 1 to ${HISTORY_LIMIT_MAX}`);
  }
  if (after !== undefined && !follow) throw new SessionError('VALIDATION', 'after needs follow');
  const { agentId, key } = await resolveAddress(deps, request, context);
  if (!(await deps.agents.hasStore(agentId, context))) throw notFound(key);
  const read = ReadHistoryRequest.create({ agentId, by: { $case: 'key', value: key }, beforeSeq, limit, includeTools, follow, after });
  const reader = new PageReader(key, after?.sessionId);
  for await (const { item } of deps.stores.readHistory(read, context)) {
    if (item !== undefined) for (const answer of reader.take(item)) yield { item: answer };
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
  /** Session id after which an earlier stream goes on. */
  readonly #resumedId: string | undefined;

  constructor(key: string, resumedId: string | undefined) {
    this.#key = key;
    this.#resumedId = resumedId;
  }

  *take(item: Item): Iterable<NonNullable<GetHistoryResponse['item']>> {
    switch (item.$case) {
      case 'head':
        if (!item.value.found) throw notFound(this.#key);
        this.#key = item.value.key;
        this.#sessionId = item.value.sessionId;
        this.#isLive = this.#resumedId !== undefined && this.#resumedId === this.#sessionId;
        return;
      case 'records':
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
        this.#isLive = false;
        this.#held = undefined;
        yield { $case: 'reset', value: item.value };
        return;
      case 'end':
        yield { $case: 'end', value: item.value };
    }
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

/** The whole page at once. @throws as `getHistory` */
export async function readPage(deps: HandlerDeps, request: GetHistoryRequest, context: CallContext): Promise<WholePage> {
  const builder = new PageBuilder();
  for await (const { item } of getHistory(deps, { ...request, follow: false, after: undefined }, context)) {
    const whole = item?.$case === 'page' ? builder.add(item.value) : undefined;
    if (whole !== undefined) return whole;
  }
  return { key: '', sessionId: undefined, records: [], hasMore: false, nextBeforeSeq: undefined };
}

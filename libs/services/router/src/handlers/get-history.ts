/** GetHistory: one page of a session's messages, newest page first, each page ascending. */
import { GetHistoryResponse, HistoryPage, ReadHistoryRequest } from '@sessions/contracts';
import type { GetHistoryRequest, HistoryPageEnd, TranscriptRecord } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { resolveAddress } from './resolve-address';
import type { Address } from './resolve-address';

export const HISTORY_LIMIT_MAX = 1000;

/** A page as a whole, for doors that answer with one document. */
export interface WholePage {
  readonly key: string;
  readonly sessionId: string | undefined;
  readonly records: readonly TranscriptRecord[];
  readonly hasMore: boolean;
  readonly nextBeforeSeq: number | undefined;
}

/**
 * @throws SESSION_NOT_FOUND for a key without a row; VALIDATION for a limit out of range;
 * UNSUPPORTED for `follow` and `after`
 */
export async function* getHistory(
  deps: HandlerDeps,
  request: GetHistoryRequest,
  context: CallContext,
): AsyncIterable<GetHistoryResponse> {
  if (request.follow || request.after !== undefined) {
    throw new SessionError('UNSUPPORTED', 'following a session is not served here: subscribe to its events');
  }
  const { limit = HISTORY_LIMIT_MAX } = request;
  if (!(Number.isSafeInteger(limit) && limit >= 1 && limit <= HISTORY_LIMIT_MAX)) {
    throw new SessionError('VALIDATION', `limit must be 1 to ${HISTORY_LIMIT_MAX}`);
  }
  const address = await resolveAddress(deps, request, context);
  const key = address.key;
  let held: TranscriptRecord[] | undefined;
  let sessionId: string | undefined;
  let end: HistoryPageEnd | undefined;
  const page = (records: TranscriptRecord[], continues: boolean): GetHistoryResponse => ({
    item: {
      $case: 'page',
      value: HistoryPage.create({
        sessionKey: key,
        sessionId,
        records,
        continues,
        hasMore: !continues && (end?.hasMore ?? false),
        nextBeforeSeq: continues ? undefined : end?.nextBeforeSeq,
      }),
    },
  });
  for await (const item of readItems(deps, address, request, limit, context)) {
    if (item.$case === 'head') {
      if (!item.value.found) throw notFound(key);
      sessionId = item.value.sessionId;
    } else if (item.$case === 'records') {
      if (held !== undefined) yield page(held, true);
      held = item.value.records;
    } else if (item.$case === 'pageEnd') {
      end = item.value;
    }
  }
  yield page(held ?? [], false);
}

async function* readItems(deps: HandlerDeps, address: Address, request: GetHistoryRequest, limit: number, context: CallContext) {
  const { agentId, key } = address;
  if (!(await deps.agents.hasStore(agentId, context))) throw notFound(key);
  const { beforeSeq, includeTools } = request;
  const read = ReadHistoryRequest.create({ agentId, by: { $case: 'key', value: key }, beforeSeq, limit, includeTools });
  for await (const { item } of deps.stores.readHistory(read, context)) if (item !== undefined) yield item;
}

const notFound = (key: string): SessionError => new SessionError('SESSION_NOT_FOUND', `Session not found: ${key}`);

/** The whole page at once, long lines put together. @throws as `getHistory` */
export async function readPage(deps: HandlerDeps, request: GetHistoryRequest, context: CallContext): Promise<WholePage> {
  const records: TranscriptRecord[] = [];
  let last: HistoryPage | undefined;
  for await (const { item } of getHistory(deps, request, context)) {
    if (item?.$case !== 'page') continue;
    last = item.value;
    for (const record of item.value.records) addRecord(records, record);
  }
  return {
    key: last?.sessionKey ?? '',
    sessionId: last?.sessionId,
    records,
    hasMore: last?.hasMore ?? false,
    nextBeforeSeq: last?.nextBeforeSeq,
  };
}

/** Parts of one long line follow each other. */
function addRecord(records: TranscriptRecord[], record: TranscriptRecord): void {
  const before = records.at(-1);
  if (record.part === undefined || record.part.part === 1 || before === undefined) {
    records.push(record);
  } else {
    records[records.length - 1] = { ...before, lineJson: Buffer.concat([before.lineJson, record.lineJson]), part: record.part };
  }
}

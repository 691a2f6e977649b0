/** `GET /sessions/{key}/history`: its query, and a page as its readers know it. */
import { SessionError } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { toClientMessage } from '../gateway/messages';
import { HISTORY_LIMIT_MAX } from '../handlers/get-history';
import type { WholePage } from '../handlers/get-history';

/** A page ends here too, bytes of JSON. */
const PAGE_BYTES_MAX = 8 * 1024 * 1024;

export interface HistoryQuery {
  readonly limit: number;
  readonly beforeSeq: number | undefined;
  readonly includeTools: boolean;
  readonly follow: boolean;
  /** A limit or a cursor was given: a live view shows that page anew instead of single messages. */
  readonly isPaged: boolean;
}

/** @throws VALIDATION naming the parameter; a limit above the maximum is the maximum */
export function readHistoryQuery(query: URLSearchParams): HistoryQuery {
  const beforeSeq = cursorOf(query.get('cursor'));
  return {
    limit: limitOf(query.get('limit')),
    beforeSeq,
    includeTools: flagOf('includeTools', query.get('includeTools')),
    follow: flagOf('follow', query.get('follow')),
    isPaged: query.has('limit') || beforeSeq !== undefined,
  };
}

export function toHistoryJson(page: WholePage): Record<string, unknown> {
  const { kept, wasCut } = fitting(page.records.map(toClientMessage).filter((message) => message !== undefined));
  const nextSeq = wasCut ? seqOf(kept[0]) : page.nextBeforeSeq;
  return {
    sessionKey: page.key,
    ...(page.sessionId !== undefined && { sessionId: page.sessionId }),
    items: kept,
    messages: kept,
    hasMore: page.hasMore || wasCut,
    ...(nextSeq !== undefined && { nextCursor: String(nextSeq) }),
  };
}

/** The newest messages that fit. */
function fitting(messages: readonly JsonObject[]): { kept: readonly JsonObject[]; wasCut: boolean } {
  let bytes = 0;
  for (let place = messages.length - 1; place >= 0; place -= 1) {
    bytes += Buffer.byteLength(JSON.stringify(messages[place]));
    if (bytes > PAGE_BYTES_MAX && place < messages.length - 1) return { kept: messages.slice(place + 1), wasCut: true };
  }
  return { kept: messages, wasCut: false };
}

function seqOf(message: JsonObject | undefined): number | undefined {
  const identity = message?.__openclaw as { readonly seq?: number } | undefined;
  return identity?.seq;
}

function limitOf(text: string | null): number {
  if (text === null) return HISTORY_LIMIT_MAX;
  if (!/^\d+$/.test(text) || Number(text) < 1) throw new SessionError('VALIDATION', 'limit must be a whole number, at least 1');
  return Math.min(Number(text), HISTORY_LIMIT_MAX);
}

function cursorOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  const seq = /^(?:seq:)?(\d{1,15})$/.exec(text)?.[1];
  if (seq === undefined || Number(seq) < 1) throw new SessionError('VALIDATION', 'cursor must be a message number such as 13 or seq:13');
  return Number(seq);
}

function flagOf(name: string, text: string | null): boolean {
  if (text === null || text === '0' || text === 'false') return false;
  if (text === '' || text === '1' || text === 'true') return true;
  throw new SessionError('VALIDATION', `${name} must be 1 or 0`);
}

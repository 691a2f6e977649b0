/**
 * Messages of a session, read backwards from the end of its transcript: a page costs what its limit
 * says, and a whole conversation is read page by page.
 */
import type { FoundSession } from './find-session';
import type { HistoryPosition } from './history-position';
import { readerOptions } from './read-store';
import { SessionError, isJsonObject, parseTranscriptLine } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { HISTORY_LIMIT_MAX, openOfflineTranscript } from '@sessions/store';
import type { HistoryItem, OfflineTranscript } from '@sessions/store';

export interface HistoryQuery {
  /** Messages at most. Null: all. */
  readonly limit: number | null;
  /** Only messages before this ordinal, or this place. Null: from the end. */
  readonly before: number | HistoryPosition | null;
  readonly includeTools: boolean;
}

export interface HistoryMessage {
  readonly role: string;
  /** When it was written, as the line says; undefined when the line does not. */
  readonly timestamp: string | undefined;
  /** As stored: the line's `message`, or the whole line of the simple format. */
  readonly message: JsonObject;
}

export interface History {
  /** In order of the conversation, the newest last. */
  readonly messages: readonly HistoryMessage[];
  /** Message records of the transcript, those not shown included; null when that would need a full read. */
  readonly totalCount: number | null;
  readonly hasMore: boolean;
  /** Where the next older page begins: the ordinal of this page's first message, where they are counted. Null: there is none. */
  readonly nextBefore: number | HistoryPosition | null;
}

const EMPTY: History = { messages: [], totalCount: 0, hasMore: false, nextBefore: null };

/** When a line was written, as it says itself; undefined when it does not. */
function timestampOf(record: JsonObject, atMs: number | undefined): string | undefined {
  if (typeof record['timestamp'] === 'string') return record['timestamp'];
  return atMs === undefined ? undefined : new Date(atMs).toISOString();
}

function toMessage({ line, role }: HistoryItem): HistoryMessage {
  const parsed = parseTranscriptLine(line, 1);
  if (!parsed.ok || !isJsonObject(parsed.value)) return { role, timestamp: undefined, message: {} };
  return { role, timestamp: timestampOf(parsed.value, parsed.atMs), message: parsed.message ?? parsed.value };
}

/** @throws DAMAGED for a transcript that is no regular file */
export async function readHistory({ store, file }: FoundSession, query: HistoryQuery): Promise<History> {
  const transcript = file === null ? undefined : await openOfflineTranscript(readerOptions(store), file);
  if (transcript === undefined) return EMPTY;
  try {
    return await collect(transcript, query);
  } finally {
    await transcript.close();
  }
}

/** @throws VALIDATION for a place behind the transcript's end */
async function collect(transcript: OfflineTranscript, { limit, before, includeTools }: HistoryQuery): Promise<History> {
  if (before !== null && typeof before !== 'number' && before.endOffset > transcript.bytes) {
    throw new SessionError('VALIDATION', `--before @${before.endOffset} is behind the end of the transcript (${transcript.bytes} bytes).`, { facts: { option: '--before' } });
  }
  const pages: HistoryMessage[][] = [];
  let count = 0;
  let place: { readonly position?: HistoryPosition; readonly beforeSeq?: number } = typeof before === 'number' ? { beforeSeq: before } : before === null ? {} : { position: before };
  for (;;) {
    const wanted = Math.min(limit === null ? HISTORY_LIMIT_MAX : limit - count, HISTORY_LIMIT_MAX);
    const page = await transcript.page({ ...place, limit: wanted, includeTools });
    pages.push(page.items.map(toMessage));
    count += page.items.length;
    const done = !page.hasMore || page.older === undefined;
    if (done || count === limit) {
      return {
        messages: pages.reverse().flat(),
        totalCount: transcript.messages ?? null,
        hasMore: page.hasMore,
        nextBefore: page.hasMore ? (page.nextBefore ?? page.older ?? null) : null,
      };
    }
    place = { position: page.older, ...(place.beforeSeq !== undefined && { beforeSeq: place.beforeSeq }) };
  }
}

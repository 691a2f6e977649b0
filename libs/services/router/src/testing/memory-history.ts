/** History of a session in memory: a page in two parts, then what is appended, over resets. */
import { HistoryHead, HistoryPageEnd, HistoryRecords, TranscriptRecord } from '@sessions/contracts';
import type { ReadHistoryRequest, ReadHistoryResponse } from '@sessions/contracts';
import type { MemorySession } from './memory-operations';

export async function* readHistory(found: [string, MemorySession] | undefined, request: ReadHistoryRequest, signal: AbortSignal): AsyncIterable<ReadHistoryResponse> {
  const head = (): ReadHistoryResponse => ({
    item: { $case: 'head', value: HistoryHead.create({ found: found !== undefined, key: found?.[0] ?? '', sessionId: found === undefined ? undefined : String(found[1].entry.sessionId) }) },
  });
  yield head();
  if (found === undefined) return;
  const [, session] = found;
  const since = request.after?.sessionId === session.entry.sessionId ? request.after?.messageSeq : undefined;
  if (since === undefined) yield* firstPage(session, request);
  let seen = since ?? session.messages.length;
  if (since !== undefined) yield { item: { $case: 'pageEnd', value: HistoryPageEnd.create({}) } };
  const behind = (): TranscriptRecord[] => recordsOf(session).slice(seen).filter((record) => request.includeTools || record.role !== 'toolResult');
  if (!request.follow) {
    if (since !== undefined && behind().length > 0) yield { item: { $case: 'records', value: HistoryRecords.create({ records: behind() }) } };
    return;
  }
  let sessionId = session.entry.sessionId;
  while (!signal.aborted) {
    if (session.entry.sessionId !== sessionId) {
      yield { item: { $case: 'reset', value: { previousSessionId: String(sessionId), sessionId: String(session.entry.sessionId), reason: 'reset' } } };
      sessionId = session.entry.sessionId;
      yield head();
      yield* firstPage(session, request);
      seen = session.messages.length;
    }
    const fresh = behind();
    seen = session.messages.length;
    if (fresh.length > 0) yield { item: { $case: 'records', value: HistoryRecords.create({ records: fresh }) } };
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const recordsOf = ({ messages }: MemorySession): TranscriptRecord[] =>
  messages.map(({ id, role, line }, place) =>
    TranscriptRecord.create({ recordId: id, messageSeq: place + 1, lineNumber: place + 2, lineJson: Buffer.from(line), type: 'message', role }),
  );

function* firstPage(session: MemorySession, request: ReadHistoryRequest): Iterable<ReadHistoryResponse> {
  const until = (request.beforeSeq ?? Infinity) - 1;
  const visible = recordsOf(session).filter((record) => (record.messageSeq ?? 0) <= until && (record.messageSeq ?? 0) > (request.afterSeq ?? 0) && (request.includeTools || record.role !== 'toolResult'));
  const page = visible.slice(-(request.limit ?? 1000));
  // In two items, so that readers have to put pages together.
  const middle = Math.ceil(page.length / 2);
  for (const records of [page.slice(0, middle), page.slice(middle)]) {
    if (records.length > 0) yield { item: { $case: 'records', value: HistoryRecords.create({ records }) } };
  }
  const hasMore = visible.length > page.length;
  yield { item: { $case: 'pageEnd', value: HistoryPageEnd.create({ hasMore, nextBeforeSeq: hasMore ? page[0]?.messageSeq : undefined }) } };
}

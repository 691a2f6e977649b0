/**
 * What a session's events would have told, read from its store: the messages after a place, then the
 * row as it is now. The events made here carry no number: nothing may be counted by them.
 */
import { EntryFilter, Event, ListEntriesRequest, ReadHistoryRequest } from '@sessions/contracts';
import type { TranscriptRecord } from '@sessions/contracts';
import type { CallContext } from '@sessions/bus';
import type { Place } from './event-places';
import type { StoreCalls } from './store/store-calls';

/** Messages that are made up for; of more, the newest. */
export const MISSED_MESSAGES_MAX = 1000;

export interface Missed {
  readonly events: readonly Event[];
  readonly sessionId: string | undefined;
  /** Of the last message that was read. */
  readonly messageSeq: number;
}

export async function readMissed(stores: StoreCalls, place: Place, context: CallContext, nowMs: number): Promise<Missed> {
  const { agentId, key, messageSeq } = place;
  const events: Event[] = [];
  const head = { agentId, sessionKey: key, epoch: place.epoch, seq: 0, atMs: nowMs };
  let { sessionId } = place;
  let lastSeq = messageSeq ?? 0;
  if (messageSeq !== undefined) {
    let found = await readAfter(stores, place, messageSeq, context);
    // Another transcript stands under the key: all of it is new.
    if (found.sessionId !== undefined && found.sessionId !== sessionId) {
      lastSeq = 0;
      found = await readAfter(stores, place, 0, context);
    }
    sessionId = found.sessionId ?? sessionId;
    for (const record of found.records) {
      const { recordId, part, lineJson } = record;
      // A line in parts is above what an event carries: its id says what to read.
      if (part !== undefined && part.part > 1) continue;
      lastSeq = record.messageSeq ?? lastSeq;
      const value = { messageId: recordId, messageSeq: record.messageSeq, lineJson: part === undefined ? lineJson : undefined, tooLarge: part !== undefined };
      events.push(Event.create({ ...head, sessionId, body: { $case: 'message', value: { ...value, encodedRow: undefined, usage: undefined, runId: undefined } } }));
    }
  }
  const encodedRow = await readRow(stores, place, context);
  const isReset = sessionId !== place.sessionId && place.sessionId !== undefined;
  const reason = encodedRow === undefined ? 'delete' : isReset ? 'reset' : 'patch';
  const value = { reason, phase: undefined, runId: undefined, encodedRow, previousSessionId: isReset ? place.sessionId : undefined, messageSeq: undefined };
  const changed = Event.create({ ...head, sessionId, body: { $case: 'changed', value } });
  return { events: isReset ? [changed, ...events] : [...events, changed], sessionId, messageSeq: lastSeq };
}

async function readAfter(
  stores: StoreCalls,
  { agentId, key }: Place,
  afterSeq: number,
  context: CallContext,
): Promise<{ readonly sessionId: string | undefined; readonly records: readonly TranscriptRecord[] }> {
  const request = ReadHistoryRequest.create({ agentId, by: { $case: 'key', value: key }, afterSeq, limit: MISSED_MESSAGES_MAX, includeTools: true });
  let sessionId: string | undefined;
  const records: TranscriptRecord[] = [];
  for await (const { item } of stores.readHistory(request, context)) {
    if (item?.$case === 'head') sessionId = item.value.found ? item.value.sessionId : undefined;
    if (item?.$case === 'records') records.push(...item.value.records);
  }
  return { sessionId, records };
}

async function readRow(stores: StoreCalls, { agentId, key }: Place, context: CallContext): Promise<Buffer | undefined> {
  const filter = EntryFilter.create({ keys: [key], includeGlobal: true, includeUnknown: true, includeCronRuns: true });
  const { encodedRows } = await stores.read('listEntries', ListEntriesRequest.create({ agentId, filter, limit: 1 }), context);
  return encodedRows[0];
}

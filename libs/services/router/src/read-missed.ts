/**
 * What a session's events would have told, read from its store as a live view goes on behind its last
 * place (`after` of ReadHistory): the rest of the transcript that was heard, and of those that the key
 * has had since, each change of transcript or of numbers told before what stands in the new one. Last
 * comes the row as it is now. The events made here carry no number: nothing may be counted by them.
 */
import { EntryFilter, Event, HistoryPosition, ListEntriesRequest, ReadHistoryRequest, SessionRow } from '@sessions/contracts';
import type { ChangedEvent, ReadHistoryResponse, TranscriptRecord } from '@sessions/contracts';
import { parseTranscriptLine } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { hasOwnId, type Place } from './event-places';
import type { StoreCalls } from './store/store-calls';

/** Messages that are held of a transcript until it is known which of them were told before; of more, the newest. */
export const FRESH_MESSAGES_MAX = 1000;
/** Ids that are kept of what was told; of more, the newest. */
const TOLD_MAX = 4096;
/** An event is stamped after its mutation: where no message was heard, one that came so shortly before may not have been told. */
const STAMP_MARGIN_MS = 1_000;

/** The key has the transcript of before: which of its messages were told is not to be seen from where it begins. */
const BROUGHT_BACK: ReadonlySet<string> = new Set(['restore', 'checkpoint-restore']);
const RENUMBERED = 'compact';

/** What this reading has told, over all its tries. */
export class Told {
  readonly #messages = new Set<string>();
  readonly #changes = new Set<string>();
  readonly #transcripts = new Set<string>();

  note({ sessionId, body }: Event): void {
    if (sessionId !== undefined) this.#transcripts.add(sessionId);
    if (body?.$case === 'message') {
      this.#messages.add(markOf(sessionId, body.value.messageId, body.value.messageSeq));
      const [oldest] = this.#messages;
      if (this.#messages.size > TOLD_MAX && oldest !== undefined) this.#messages.delete(oldest);
    }
    if (body?.$case === 'changed' && body.value.previousSessionId !== undefined) this.#changes.add(changeOf(sessionId, body.value));
  }

  /** True for an event that says again what was told here. */
  has({ sessionId, body }: Event): boolean {
    if (body?.$case === 'message') return this.hasMessage(sessionId, body.value.messageId, body.value.messageSeq);
    return body?.$case === 'changed' && this.#changes.has(changeOf(sessionId, body.value));
  }

  hasMessage(sessionId: string | undefined, messageId: string | undefined, messageSeq: number | undefined): boolean {
    return this.#messages.has(markOf(sessionId, messageId, messageSeq));
  }

  wentThrough(sessionId: string | undefined): boolean {
    return sessionId !== undefined && this.#transcripts.has(sessionId);
  }
}

const markOf = (sessionId: string | undefined, messageId: string | undefined, messageSeq: number | undefined): string =>
  hasOwnId(messageId) ? messageId : `${String(sessionId)}:${String(messageSeq)}`;

const changeOf = (sessionId: string | undefined, { previousSessionId }: ChangedEvent): string => `${String(previousSessionId)}>${String(sessionId)}`;

/** Some events, and how far the session is heard with them. */
export interface Missed {
  readonly events: readonly Event[];
  readonly place: Place;
}

/** @throws as ReadHistory; what was given until then stands, and the reading can begin again behind it */
export async function* readMissed(stores: StoreCalls, place: Place, told: Told, context: CallContext, nowMs: number): AsyncGenerator<Missed> {
  const row = (): Promise<Buffer | undefined> => readRow(stores, place, context);
  const reader = new MissedReader(place, told, row, nowMs);
  const { agentId, key } = place;
  const request = ReadHistoryRequest.create({ agentId, by: { $case: 'key', value: key }, limit: FRESH_MESSAGES_MAX, includeTools: true, after: positionOf(place) });
  for await (const { item } of stores.readHistory(request, context)) if (item !== undefined) yield* reader.take(item);
  yield* reader.end();
}

/** Undefined: nothing says from where on; the newest messages are read, and told as far as they are new. */
function positionOf({ sessionId, messageSeq, recordId }: Place): HistoryPosition | undefined {
  return sessionId === undefined || messageSeq === undefined ? undefined : HistoryPosition.create({ sessionId, messageSeq, recordId });
}

/** A transcript whose beginning may have been told. */
interface Fresh {
  readonly change: Event | undefined;
  readonly reason: string | undefined;
  readonly records: TranscriptRecord[];
}

class MissedReader {
  #place: Place;
  readonly #told: Told;
  readonly #row: () => Promise<Buffer | undefined>;
  readonly #nowMs: number;
  /** Undefined: what comes stands behind what was heard. */
  #fresh: Fresh | undefined;
  #hasChanged = false;
  #isRead = false;

  constructor(place: Place, told: Told, row: () => Promise<Buffer | undefined>, nowMs: number) {
    this.#place = place;
    this.#told = told;
    this.#row = row;
    this.#nowMs = nowMs;
    if (positionOf(place) === undefined) this.#fresh = { change: undefined, reason: undefined, records: [] };
  }

  async *take(item: NonNullable<ReadHistoryResponse['item']>): AsyncGenerator<Missed> {
    switch (item.$case) {
      case 'head': {
        const { found, sessionId } = item.value;
        const before = this.#place.sessionId;
        this.#isRead = found;
        if (!found || sessionId === undefined || sessionId === before) return;
        // The transcript that was heard is gone, or was never named.
        if (this.#fresh?.change === undefined && before !== undefined) this.#fresh = await this.#changed(before, sessionId, undefined);
        this.#place = { ...this.#place, sessionId };
        return;
      }
      case 'reset':
        yield* this.#tellFresh();
        this.#fresh = await this.#changed(item.value.previousSessionId ?? '', item.value.sessionId, item.value.reason);
        this.#place = { ...this.#place, sessionId: item.value.sessionId };
        return;
      case 'records':
        if (this.#fresh === undefined) return yield this.#tell(item.value.records.filter(isFirstPart), []);
        for (const record of item.value.records.filter(isFirstPart)) this.#fresh.records.push(record);
        this.#fresh.records.splice(0, this.#fresh.records.length - FRESH_MESSAGES_MAX);
    }
  }

  async *end(): AsyncGenerator<Missed> {
    yield* this.#tellFresh();
    if (this.#hasChanged) return;
    const encodedRow = this.#isRead ? await this.#row() : undefined;
    const change = this.#change({ reason: encodedRow === undefined ? 'delete' : 'patch', encodedRow });
    yield { events: [change], place: this.#place };
  }

  async #changed(previousSessionId: string, sessionId: string, reason: string | undefined): Promise<Fresh> {
    const encodedRow = await this.#row();
    // What brings a session back takes the reason of its reset away.
    const why = reason ?? (encodedRow === undefined ? 'reset' : (SessionRow.decode(encodedRow).lastResetReason ?? 'restore'));
    const isOther = previousSessionId !== sessionId;
    const change = this.#change({ reason: why, encodedRow, ...(isOther && { previousSessionId }) }, sessionId);
    this.#hasChanged = true;
    return { change, reason: why, records: [] };
  }

  *#tellFresh(): Generator<Missed> {
    const fresh = this.#fresh;
    if (fresh === undefined) return;
    this.#fresh = undefined;
    const { change, records } = fresh;
    const untold = this.#untold(fresh);
    const last = records.at(-1);
    const place = { ...this.#place, messageSeq: last?.messageSeq ?? 0, recordId: last?.recordId };
    const { events } = this.#tell(untold, change === undefined ? [] : [change]);
    this.#place = place;
    yield { events, place };
  }

  /** Which messages of a transcript from its beginning, or of its newest, are new. */
  #untold({ change, reason = '', records }: Fresh): readonly TranscriptRecord[] {
    const { messageSeq, recordId, atMs } = this.#place;
    const untold = (from: number): readonly TranscriptRecord[] =>
      records.slice(Math.max(0, from)).filter((record) => !this.#told.hasMessage(this.#place.sessionId, record.recordId, record.messageSeq));
    const isReset = change !== undefined && reason !== RENUMBERED && !BROUGHT_BACK.has(reason);
    if (isReset) return untold(0);
    // A cut and what goes on after a compaction keep what came last: without the last one heard, all is newer.
    const heard = recordId === undefined ? -1 : records.findLastIndex((record) => record.recordId === recordId);
    if (heard !== -1) return untold(heard + 1);
    if (reason === RENUMBERED && (recordId !== undefined || messageSeq === 0)) return untold(0);
    const sinceMs = change === undefined ? atMs - STAMP_MARGIN_MS : atMs + 1;
    const first = records.findIndex((record) => isSince(record, sinceMs));
    return first === -1 ? [] : untold(first);
  }

  #tell(records: readonly TranscriptRecord[], before: readonly Event[]): Missed {
    const events = [...before, ...records.map((record) => this.#message(record))];
    const last = records.at(-1);
    if (last !== undefined) this.#place = { ...this.#place, messageSeq: last.messageSeq ?? this.#place.messageSeq, recordId: last.recordId };
    return { events, place: this.#place };
  }

  /** A line in parts is above what an event carries: its id says what to read. */
  #message({ recordId = '', messageSeq, part, lineJson }: TranscriptRecord): Event {
    const value = { messageId: recordId, messageSeq, lineJson: part === undefined ? lineJson : undefined, tooLarge: part !== undefined };
    return this.#event(this.#place.sessionId, { $case: 'message', value: { ...value, encodedRow: undefined, usage: undefined, runId: undefined } });
  }

  #change(value: Pick<ChangedEvent, 'reason' | 'encodedRow'> & Partial<ChangedEvent>, sessionId = this.#place.sessionId): Event {
    return this.#event(sessionId, { $case: 'changed', value: { phase: undefined, runId: undefined, previousSessionId: undefined, messageSeq: undefined, ...value } });
  }

  #event(sessionId: string | undefined, body: NonNullable<Event['body']>): Event {
    const { agentId, key, epoch } = this.#place;
    return Event.create({ agentId, sessionKey: key, sessionId, epoch, seq: 0, atMs: this.#nowMs, body });
  }
}

const isFirstPart = ({ part }: TranscriptRecord): boolean => part === undefined || part.part === 1;

/** True as well for a line that does not say when it came: better told twice than not at all. */
function isSince({ lineJson, messageSeq = 0 }: TranscriptRecord, sinceMs: number): boolean {
  const line = parseTranscriptLine(lineJson.toString('utf8'), messageSeq);
  return !line.ok || line.atMs === undefined || line.atMs >= sinceMs;
}

async function readRow(stores: StoreCalls, { agentId, key }: Place, context: CallContext): Promise<Buffer | undefined> {
  const filter = EntryFilter.create({ keys: [key], includeGlobal: true, includeUnknown: true, includeCronRuns: true });
  const { encodedRows } = await stores.read('listEntries', ListEntriesRequest.create({ agentId, filter, limit: 1 }), context);
  return encodedRows[0];
}

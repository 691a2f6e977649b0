/**
 * ReadHistory: a page of messages in ascending order, or with `after` what came behind that place; then,
 * with `follow`, each that is appended.
 *
 * A followed stream is told that something changed and reads what it does not have yet, so a notice
 * may be late or missing without losing a message. After a reset, or a compaction that goes on in another
 * transcript, it gives what it has not given of the one that was left, and goes on with the new one. A transcript whose messages have other numbers
 * by now (it was cut, or brought back) is begun anew.
 */
import {
  HistoryEnd,
  HistoryHead,
  HistoryPageEnd,
  HistoryRecords,
  TranscriptRecord,
  TranscriptReset,
  type HistoryPosition,
  type ReadHistoryRequest,
  type ReadHistoryResponse,
} from '@sessions/contracts';
import { SessionError, isJsonObject, parseTranscriptLine, type JsonValue } from '@sessions/domain';
import { STREAM_ITEMS_BYTES, type CallContext } from '@sessions/bus';
import { HISTORY_LIMIT_MAX, type AgentStore, type HistoryRecord, type StoredEntry } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { COMPACTED, leftTranscripts, messagesBehind, wasCut, type LeftTranscript } from './left-transcript';
import { entryOfKey, sessionEntry } from './stored-session';

/** A followed stream that is silent for so long says so, which keeps it open. */
export const KEEPALIVE_MS = 60_000;

type Item = NonNullable<ReadHistoryResponse['item']>;

/** What a message looks like to this reader; undefined: it does not see it. */
type Look = (record: HistoryRecord) => string | undefined;

/** @throws VALIDATION; UNSUPPORTED for raw lines */
export async function* readHistory(agent: OwnedAgent, request: ReadHistoryRequest, context: CallContext): AsyncGenerator<ReadHistoryResponse> {
  const { by, limit = HISTORY_LIMIT_MAX } = request;
  if (by === undefined) throw new SessionError('VALIDATION', 'a key or a session id is required');
  if (request.raw) throw new SessionError('UNSUPPORTED', 'raw lines are not served here: read messages (raw: false)');
  if (!Number.isInteger(limit) || limit < 1 || limit > HISTORY_LIMIT_MAX) throw new SessionError('VALIDATION', `limit must be 1 to ${String(HISTORY_LIMIT_MAX)}`);
  const reader = new HistoryReader(agent, request, limit);
  for await (const item of reader.items(context.signal)) yield { item };
}

class HistoryReader {
  readonly #agent: OwnedAgent;
  readonly #request: ReadHistoryRequest;
  readonly #limit: number;
  readonly #look: Look;
  #key = '';
  #sessionId: string | null = null;
  /** Of that session id: its page is read from it until the change to another one is told. */
  #file: string | undefined;
  /** Why that is the key's. */
  #whyReset = 'reset';
  /** Newest message that was looked at. */
  #lastSeq = 0;
  /** Newest message that was seen: while it stands where it stood, numbers mean what they meant. */
  #anchor: Anchor | undefined;

  constructor(agent: OwnedAgent, request: ReadHistoryRequest, limit: number) {
    this.#agent = agent;
    this.#request = request;
    this.#limit = limit;
    this.#look = lookOf(request);
  }

  async *items(signal: AbortSignal): AsyncGenerator<Item> {
    const entry = await this.#agent.read((store) => this.#find(store), () => undefined);
    if (entry === undefined) {
      yield { $case: 'head', value: HistoryHead.create({ key: this.#request.by?.$case === 'key' ? this.#request.by.value : '', found: false }) };
      return;
    }
    this.#key = entry.key;
    this.#present(entry);
    // Watched before the page is read: what comes in between is told afterwards.
    const watch = this.#request.follow ? this.#agent.deps.feed.watch(this.#agent.agentId, entry.key) : undefined;
    try {
      yield* this.#begin();
      while (watch !== undefined && !signal.aborted) {
        if (!(await this.#changed(watch.next.bind(watch), signal))) {
          if (!signal.aborted) yield { $case: 'records', value: HistoryRecords.create({}) };
          continue;
        }
        if (yield* this.#goOn()) return;
      }
    } finally {
      watch?.stop();
    }
  }

  #present({ sessionId, file, text }: StoredEntry): void {
    this.#sessionId = sessionId;
    this.#file = file ?? undefined;
    this.#whyReset = whyReset(JSON.parse(text) as JsonValue);
  }

  #find(store: AgentStore): Promise<StoredEntry | undefined> {
    const { by } = this.#request;
    if (by?.$case === 'sessionId') return sessionEntry(store, { sessionId: by.value });
    return entryOfKey(store, by?.value ?? '');
  }

  /** The first page, or what came after the place where an earlier stream ended. */
  async *#begin(): AsyncGenerator<Item> {
    const { after, beforeSeq, afterSeq } = this.#request;
    const resumed = after !== undefined && after.sessionId !== '' ? after : undefined;
    if (resumed !== undefined && resumed.sessionId === this.#sessionId) {
      this.#lastSeq = resumed.messageSeq;
      if (resumed.recordId !== undefined && resumed.messageSeq > 0) this.#anchor = { seq: resumed.messageSeq, mark: resumed.recordId };
      yield await this.#head(this.#sessionId);
      // A number alone may be one from before a cut.
      const isUnsure = resumed.recordId === undefined && resumed.messageSeq > 0 && (await this.#wasCut(resumed.sessionId));
      const renumbered = isUnsure ? 'compact' : yield* this.#since();
      if (renumbered === undefined) yield this.#pageEnd(false, undefined);
      // Which of both it was is not known of a time when nobody looked: mostly a cut.
      else yield* this.#anew('compact');
      return;
    }
    const left = resumed === undefined ? undefined : await this.#left(resumed.sessionId);
    // An id that was never this key's, or whose transcript is gone, says nothing here.
    if (resumed !== undefined && left !== undefined) {
      yield await this.#head(resumed.sessionId);
      this.#lastSeq = resumed.messageSeq;
      // Cut meanwhile, or a number that may be one from before a cut: all of it, under its new numbers.
      if (!(await this.#standsIn(left, resumed))) yield* this.#emptied(resumed.sessionId, COMPACTED, resumed.sessionId);
      yield* this.#leave(left);
      this.#lastSeq = 0;
    }
    yield await this.#head(this.#sessionId);
    yield* this.#page(beforeSeq, afterSeq);
  }

  async #head(sessionId: string | null): Promise<Item> {
    const [epoch, storeSeq] = await this.#agent.use(({ store, seq }) => Promise.resolve([store.epoch, seq] as const));
    return { $case: 'head', value: HistoryHead.create({ epoch, storeSeq, key: this.#key, sessionId: sessionId ?? undefined, found: true }) };
  }

  /** The same session, whose messages have other numbers now. */
  async *#anew(reason: Renumbered): AsyncGenerator<Item> {
    yield this.#reset(this.#sessionId ?? '', reason);
    yield await this.#head(this.#sessionId);
    this.#lastSeq = 0;
    yield* this.#page(undefined, undefined);
  }

  #left(sessionId: string): Promise<readonly LeftTranscript[] | undefined> {
    return this.#agent.use(({ store }) => leftTranscripts(store, this.#key, sessionId));
  }

  /** False when that transcript was cut since its reader was there: what it misses of it cannot be told by numbers. */
  async #standsIn([left]: readonly LeftTranscript[], { sessionId, messageSeq, recordId }: HistoryPosition): Promise<boolean> {
    if (messageSeq === 0) return true;
    if (recordId === undefined) return !(await this.#wasCut(sessionId));
    for await (const [record] of messagesBehind(this.#agent, left?.file ?? '', { afterSeq: messageSeq - 1, includeTools: true })) {
      if (record !== undefined) return anchorOf(record)?.mark === recordId;
    }
    return false;
  }

  #wasCut(sessionId: string): Promise<boolean> {
    return this.#agent.use(({ store }) => wasCut(store, this.#key, sessionId));
  }

  /** All of `#restOf`, then the change to the present transcript. */
  async *#leave(steps: readonly LeftTranscript[]): AsyncGenerator<Item> {
    yield* this.#restOf(steps);
    const last = steps.at(-1);
    yield this.#reset(last?.sessionId ?? '', last?.leftBy ?? this.#whyReset);
  }

  /** A transcript that is begun with an empty page. */
  async *#emptied(previous: string, reason: string, sessionId: string): AsyncGenerator<Item> {
    this.#lastSeq = 0;
    yield this.#reset(previous, reason, sessionId);
    yield await this.#head(sessionId);
    yield this.#pageEnd(false, undefined);
  }

  /**
   * What was not given of a transcript that the key has left; then all of those that it has had since, each
   * behind an empty page: what came and was summarised or set aside there stands nowhere else.
   */
  async *#restOf(steps: readonly LeftTranscript[]): AsyncGenerator<Item> {
    for (const [at, { sessionId, file }] of steps.entries()) {
      const before = steps[at - 1];
      if (before !== undefined) yield* this.#emptied(before.sessionId, before.leftBy ?? 'reset', sessionId);
      for await (const records of messagesBehind(this.#agent, file, { afterSeq: this.#lastSeq, includeTools: this.#request.includeTools })) yield* batches(this.#visible(records));
    }
  }

  #visible(records: readonly HistoryRecord[]): Visible[] {
    return records.flatMap((record) => {
      const line = this.#look(record);
      return line === undefined ? [] : [{ record, line }];
    });
  }

  #reset(previousSessionId: string, reason: string, sessionId = this.#sessionId ?? ''): Item {
    return { $case: 'reset', value: TranscriptReset.create({ previousSessionId, sessionId, reason }) };
  }

  #pageEnd(hasMore: boolean, nextBeforeSeq: number | undefined): Item {
    const lastMessageSeq = this.#lastSeq === 0 ? undefined : this.#lastSeq;
    return { $case: 'pageEnd', value: HistoryPageEnd.create({ hasMore, nextBeforeSeq, lastMessageSeq }) };
  }

  /** The newest `limit` messages that this reader sees, within the bounds. */
  async *#page(beforeSeq: number | undefined, afterSeq: number | undefined): AsyncGenerator<Item> {
    const seen: Visible[] = [];
    this.#anchor = undefined;
    let before = beforeSeq;
    let hasMore = false;
    for (;;) {
      const page = await this.#agent.use(({ store }) =>
        store.history({
          key: this.#key,
          limit: this.#limit,
          includeTools: this.#request.includeTools,
          ...(this.#file === undefined ? {} : { file: this.#file }),
          ...(before === undefined ? {} : { beforeSeq: before }),
          ...(afterSeq === undefined ? {} : { afterSeq }),
        }),
      );
      if (page === undefined) break;
      const newest = before ?? (page.totalMessages ?? 0) + 1;
      this.#lastSeq = Math.max(this.#lastSeq, newest - 1);
      if (before === undefined) this.#anchor = anchorOf(page.records.at(-1));
      const visible = this.#visible(page.records);
      const room = this.#limit - seen.length;
      seen.unshift(...visible.slice(-room));
      hasMore = page.hasMore || visible.length > room;
      before = visible.length > room ? visible.at(-room)?.record.messageSeq : page.nextBefore;
      if (seen.length >= this.#limit || !page.hasMore || before === undefined) break;
    }
    yield* batches(seen);
    yield this.#pageEnd(hasMore, hasMore ? (seen[0]?.record.messageSeq ?? before) : undefined);
  }

  /**
   * Messages after the newest that was looked at, oldest first, a window at a time.
   * @returns why, when the numbers mean other messages by now; nothing is given then
   */
  async *#since(): AsyncGenerator<Item, Renumbered | undefined> {
    for (;;) {
      const from = this.#lastSeq;
      const anchor = this.#anchor;
      const window = { afterSeq: from, beforeSeq: from + HISTORY_LIMIT_MAX + 1 };
      const query = { key: this.#key, limit: HISTORY_LIMIT_MAX, includeTools: this.#request.includeTools };
      const [page, stands] = await this.#agent.use(async ({ store }) => {
        const found = await store.history({ ...query, ...window });
        // Looked at afterwards: what was read before it came about is what it says it is.
        const anchored = anchor === undefined ? undefined : await store.history({ ...query, limit: 1, includeTools: true, afterSeq: anchor.seq - 1, beforeSeq: anchor.seq + 1 });
        return [found, anchored] as const;
      });
      // The key has another session by now: that is noticed by itself.
      if (page === undefined || page.sessionId !== this.#sessionId) return undefined;
      const total = page.totalMessages ?? 0;
      if (total < from) return 'compact';
      if (anchor !== undefined && stands?.sessionId === this.#sessionId && anchorOf(stands.records[0])?.mark !== anchor.mark) return 'restore';
      if (total === from) return undefined;
      yield* batches(this.#visible(page.records));
      this.#anchor = anchorOf(page.records.at(-1)) ?? anchor;
      this.#lastSeq = Math.min(total, from + HISTORY_LIMIT_MAX);
    }
  }

  /** @returns false when nothing changed for the time of a keepalive. */
  async #changed(next: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<boolean> {
    const silence = new AbortController();
    const timer = this.#agent.deps.clock.setTimer(KEEPALIVE_MS, () => silence.abort(), { keepsAlive: false });
    try {
      await next(AbortSignal.any([signal, silence.signal]));
    } finally {
      timer.cancel();
    }
    return !silence.signal.aborted && !signal.aborted;
  }

  /** @returns true when the session is gone and the stream ends. */
  async *#goOn(): AsyncGenerator<Item, boolean> {
    const entry = await this.#agent.read((store) => sessionEntry(store, { key: this.#key }), () => undefined);
    const followed = this.#sessionId ?? '';
    // What this reader has not seen of it may be summarised by now; the file is still there.
    const left = followed === '' || followed === entry?.sessionId ? undefined : await this.#left(followed);
    if (entry === undefined) {
      yield* this.#restOf(left ?? []);
      yield { $case: 'end', value: HistoryEnd.create({ reason: 'delete' }) };
      return true;
    }
    if (entry.sessionId === followed) {
      const renumbered = yield* this.#since();
      if (renumbered !== undefined) yield* this.#anew(renumbered);
      return false;
    }
    this.#present(entry);
    if (left === undefined) yield this.#reset(followed, this.#whyReset);
    else yield* this.#leave(left);
    this.#lastSeq = 0;
    yield await this.#head(this.#sessionId);
    yield* this.#page(undefined, undefined);
    return false;
  }
}

/** What brings a session back takes the reason of its reset away, and leaves the id that stood there before. */
function whyReset(entry: JsonValue): string {
  const { lastResetReason, previousSessionId } = isJsonObject(entry) ? entry : {};
  if (typeof lastResetReason === 'string') return lastResetReason;
  return typeof previousSessionId === 'string' ? 'restore' : 'reset';
}

/** Reason of a `reset` that leaves the session id. */
type Renumbered = 'compact' | 'restore';

interface Visible {
  readonly record: HistoryRecord;
  /** As this reader sees it. */
  readonly line: string;
}

interface Anchor {
  readonly seq: number;
  /** Tells it from another message. */
  readonly mark: string;
}

const anchorOf = (record: HistoryRecord | undefined): Anchor | undefined => record && { seq: record.messageSeq, mark: record.id === '' ? record.line : record.id };

function lookOf({ roles, includeTools }: ReadHistoryRequest): Look {
  return ({ role, line }) => {
    if (roles.length > 0 && !roles.includes(role)) return undefined;
    return includeTools ? line : withoutToolCalls(line);
  };
}

/** The line less its tool calls; undefined when nothing else was in it. */
export function withoutToolCalls(line: string): string | undefined {
  if (!line.includes('"toolCall"')) return line;
  const parsed = parseTranscriptLine(line, 1);
  if (!parsed.ok || parsed.message === undefined || !Array.isArray(parsed.message['content'])) return line;
  const blocks = parsed.message['content'] as readonly JsonValue[];
  const kept = blocks.filter((block) => !isJsonObject(block) || block['type'] !== 'toolCall');
  if (kept.length === blocks.length) return line;
  if (kept.every((block) => isJsonObject(block) && block['type'] === 'thinking')) return undefined;
  return JSON.stringify({ ...parsed.value, message: { ...parsed.message, content: kept } });
}

/** Records in items of bounded size; a long line travels in parts. */
function* batches(seen: readonly Visible[]): Generator<Item> {
  let records: TranscriptRecord[] = [];
  let bytes = 0;
  for (const { record, line } of seen) {
    for (const part of partsOf(record, Buffer.from(line))) {
      if (bytes > 0 && bytes + part.lineJson.length > STREAM_ITEMS_BYTES) {
        yield { $case: 'records', value: HistoryRecords.create({ records }) };
        records = [];
        bytes = 0;
      }
      records.push(part);
      bytes += part.lineJson.length;
    }
  }
  if (records.length > 0) yield { $case: 'records', value: HistoryRecords.create({ records }) };
}

function* partsOf({ id, messageSeq, role }: HistoryRecord, line: Buffer): Generator<TranscriptRecord> {
  const common = { recordId: id === '' ? undefined : id, messageSeq, type: 'message', role };
  const parts = Math.max(1, Math.ceil(line.length / STREAM_ITEMS_BYTES));
  for (let part = 1; part <= parts; part += 1) {
    const lineJson = line.subarray((part - 1) * STREAM_ITEMS_BYTES, part * STREAM_ITEMS_BYTES);
    yield TranscriptRecord.create({ ...common, lineJson, part: parts === 1 ? undefined : { part, parts, totalBytes: line.length } });
  }
}

/**
 * ReadHistory: a page of messages in ascending order; then, with `follow`, each that is appended.
 *
 * A followed stream is told that something changed and reads what it does not have yet, so a notice
 * may be late or missing without losing a message. It goes on with the new transcript after a reset.
 */
import {
  HistoryEnd,
  HistoryHead,
  HistoryPageEnd,
  HistoryRecords,
  SessionRow,
  TranscriptRecord,
  TranscriptReset,
  type ReadHistoryRequest,
  type ReadHistoryResponse,
} from '@sessions/contracts';
import { SessionError, isJsonObject, parseTranscriptLine, successorOf, type JsonObject, type JsonValue } from '@sessions/domain';
import { STREAM_ITEMS_BYTES, type CallContext } from '@sessions/bus';
import { HISTORY_LIMIT_MAX, type AgentStore, type HistoryRecord, type StoredEntry } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { entryOfKey, sessionEntry } from './stored-session';

/** A followed stream that is silent for so long says so, which keeps it open. */
export const KEEPALIVE_MS = 60_000;
/** Why a stream goes on with another transcript after a compaction. */
const ROTATION = 'compact';

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
  /** Of that session id: it is read until the change to another one is told. */
  #file: string | undefined;
  /** Newest message that was looked at. */
  #lastSeq = 0;

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
    this.#sessionId = entry.sessionId;
    this.#file = entry.file ?? undefined;
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

  #find(store: AgentStore): Promise<StoredEntry | undefined> {
    const { by } = this.#request;
    if (by?.$case === 'sessionId') return sessionEntry(store, { sessionId: by.value });
    return entryOfKey(store, by?.value ?? '');
  }

  /** The first page, or what came after the place where an earlier stream ended. */
  async *#begin(): AsyncGenerator<Item> {
    const { after, follow, beforeSeq, afterSeq } = this.#request;
    const isLeft = follow && after !== undefined && (await this.#transcriptsFrom(after.sessionId)) !== undefined;
    yield await this.#head(isLeft ? after.sessionId : undefined);
    if (follow && after !== undefined && after.sessionId === this.#sessionId) {
      this.#lastSeq = after.messageSeq;
      yield* this.#since();
      yield this.#pageEnd(false, undefined);
      return;
    }
    if (follow && after !== undefined && after.sessionId !== '') {
      const through = await this.#transcriptsFrom(after.sessionId);
      if (through !== undefined) {
        this.#lastSeq = after.messageSeq;
        yield* this.#through(through);
        this.#lastSeq = 0;
      }
      yield this.#reset(through?.at(-1)?.sessionId ?? after.sessionId, through === undefined ? 'reset' : ROTATION);
      if (through !== undefined) yield await this.#head();
    }
    yield* this.#page(beforeSeq, afterSeq);
  }

  /** @param sessionId of a transcript that the session has gone on from; absent: the present one's. */
  async #head(sessionId = this.#sessionId ?? undefined): Promise<Item> {
    const [epoch, storeSeq] = await this.#agent.use(({ store, seq }) => Promise.resolve([store.epoch, seq] as const));
    return { $case: 'head', value: HistoryHead.create({ epoch, storeSeq, key: this.#key, sessionId, found: true }) };
  }

  /** Where the session went on from this transcript by compactions: that one, and those after it but the present. */
  async #transcriptsFrom(sessionId: string | null): Promise<ReturnType<typeof successorOf>> {
    if (sessionId === null || sessionId === '' || sessionId === this.#sessionId) return undefined;
    const entry = await this.#agent.read((store) => sessionEntry(store, { key: this.#key }), () => undefined);
    const members: unknown = entry === undefined ? undefined : JSON.parse(entry.text);
    return isJsonObject(members as JsonValue) ? successorOf(members as JsonObject, sessionId) : undefined;
  }

  #reset(previousSessionId: string, reason: string, sessionId = this.#sessionId ?? ''): Item {
    return { $case: 'reset', value: TranscriptReset.create({ previousSessionId, sessionId, reason }) };
  }

  /**
   * The rest of a transcript that the session has gone on from, and all of those after it but the
   * present one, each behind an empty page: what came and was summarised there stands nowhere else.
   */
  async *#through(through: NonNullable<ReturnType<typeof successorOf>>): AsyncGenerator<Item> {
    for (const [at, { sessionId, file }] of through.entries()) {
      if (at > 0) {
        this.#lastSeq = 0;
        yield this.#reset(through[at - 1]?.sessionId ?? '', ROTATION, sessionId);
        yield await this.#head(sessionId);
        yield this.#pageEnd(false, undefined);
      }
      yield* this.#since(file);
    }
  }

  #pageEnd(hasMore: boolean, nextBeforeSeq: number | undefined): Item {
    const lastMessageSeq = this.#lastSeq === 0 ? undefined : this.#lastSeq;
    return { $case: 'pageEnd', value: HistoryPageEnd.create({ hasMore, nextBeforeSeq, lastMessageSeq }) };
  }

  /** The newest `limit` messages that this reader sees, within the bounds. */
  async *#page(beforeSeq: number | undefined, afterSeq: number | undefined): AsyncGenerator<Item> {
    const seen: { readonly record: HistoryRecord; readonly line: string }[] = [];
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
      const visible = page.records.flatMap((record) => {
        const line = this.#look(record);
        return line === undefined ? [] : [{ record, line }];
      });
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
   * @param file a transcript that the session has gone on from; absent: the one that is followed.
   */
  async *#since(file = this.#file): AsyncGenerator<Item> {
    for (;;) {
      const page = await this.#agent.use(({ store }) =>
        store.history({
          key: this.#key,
          limit: HISTORY_LIMIT_MAX,
          includeTools: this.#request.includeTools,
          afterSeq: this.#lastSeq,
          beforeSeq: this.#lastSeq + HISTORY_LIMIT_MAX + 1,
          ...(file === undefined ? {} : { file }),
        }),
      );
      const total = page?.totalMessages ?? 0;
      if (page === undefined || total <= this.#lastSeq) return;
      yield* batches(
        page.records.flatMap((record) => {
          const line = this.#look(record);
          return line === undefined ? [] : [{ record, line }];
        }),
      );
      this.#lastSeq = Math.min(total, this.#lastSeq + HISTORY_LIMIT_MAX);
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
    if (entry === undefined) {
      yield { $case: 'end', value: HistoryEnd.create({ reason: 'delete' }) };
      return true;
    }
    if (entry.sessionId === this.#sessionId) {
      yield* this.#since();
      return false;
    }
    const previous = this.#sessionId ?? '';
    this.#sessionId = entry.sessionId;
    this.#file = entry.file ?? undefined;
    const through = await this.#transcriptsFrom(previous);
    // What this reader has not seen of it may be summarised by now; the file is still there.
    if (through !== undefined) yield* this.#through(through);
    this.#lastSeq = 0;
    yield this.#reset(through?.at(-1)?.sessionId ?? previous, through === undefined ? (SessionRow.decode(entry.encodedRow).lastResetReason ?? 'reset') : ROTATION);
    yield await this.#head();
    yield* this.#page(undefined, undefined);
    return false;
  }
}

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
function* batches(seen: readonly { readonly record: HistoryRecord; readonly line: string }[]): Generator<Item> {
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

/**
 * The append-only file that makes a mutation durable, with group commit.
 *
 * One group is in flight at a time: whatever is queued when the last sync ends becomes the next
 * group, one `writev` to an `O_DSYNC` descriptor. No timer, no wait for company. A record is
 * acknowledged when its group's write returned and the owner's fence still holds.
 *
 * After a failed write nothing is believed any more: the group in flight is answered *unknown*,
 * everything queued behind it fails, and the journal is closed for good; the store is opened anew
 * and reads back what really is on disk. What can be lost: nothing that was acknowledged.
 */
import { SessionError } from '@sessions/domain';
import { hasErrorCode, type FileSystem } from '../files/file-system';
import { SEGMENT_HEADER_BYTES, FRAME_HEADER_BYTES, encodeFrame, encodeSegmentHeader, segmentSeed, type EncodedPayload } from './codec';
import { SEGMENT_BYTES, type SegmentPool } from './segment-pool';

/** Bounds of one group. */
export const GROUP_BYTES_MAX = 1024 * 1024;
export const GROUP_RECORDS_MAX = 1024;
/** Bounds of what may wait for its group; above, callers are told OVERLOADED. */
export const QUEUED_BYTES_MAX = 64 * 1024 * 1024;
export const QUEUED_RECORDS_MAX = 65_536;
/** A segment with less than this is not ended by a checkpoint. */
export const SEAL_BYTES_MIN = 1024 * 1024;
/** When a caller told OVERLOADED may try again. */
const OVERLOADED_RETRY_MS = 100;

/** A closed or sealed segment that a replay may still need. */
export interface KeptSegment {
  readonly path: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly bytes: number;
}

export interface JournalOptions {
  readonly fs: FileSystem;
  readonly pool: SegmentPool;
  readonly epoch: number;
  /** Last sequence that replay found, or that the index knew. */
  readonly lastSeq: number;
  /** Segments that recovery read and no checkpoint covers yet. */
  readonly kept: readonly KeptSegment[];
  /** Throws EPOCH_SUPERSEDED when a newer owner is known; called after each sync, before the acknowledgement. */
  readonly fence: () => void;
  /** Called once, when the journal closes itself after a failure. */
  readonly onFailure: (error: SessionError) => void;
}

interface Queued {
  readonly seq: number;
  readonly payload: EncodedPayload;
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: SessionError) => void;
}

interface ActiveSegment {
  readonly fd: number;
  readonly path: string;
  readonly firstSeq: number;
  readonly seed: number;
  position: number;
  lastSeq: number;
}

export class Journal {
  readonly #options: JournalOptions;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #writing = false;
  #idle: (() => void)[] = [];
  #active: ActiveSegment | undefined;
  #sealRequested = false;
  #kept: KeptSegment[];
  #assignedSeq: number;
  #syncedSeq: number;
  #failure: SessionError | undefined;
  #writtenBytes = 0;

  constructor(options: JournalOptions) {
    this.#options = options;
    // A segment without records is taken again under its own name by the next record.
    this.#kept = options.kept.filter((segment) => segment.lastSeq >= segment.firstSeq);
    this.#assignedSeq = options.lastSeq;
    this.#syncedSeq = options.lastSeq;
  }

  /** Last sequence handed out; the record may not be durable yet. */
  get assignedSeq(): number {
    return this.#assignedSeq;
  }

  /** Last sequence that is durable. */
  get syncedSeq(): number {
    return this.#syncedSeq;
  }

  /** Bytes handed to `write` since this journal was opened. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Bytes of records that a replay would read. */
  get keptBytes(): number {
    return this.#kept.reduce((sum, segment) => sum + segment.bytes, this.#active?.position ?? 0);
  }

  /**
   * Queues one record. `durable` resolves when it is on disk (the write is shared with its
   * neighbours) and rejects OUTCOME_UNKNOWN, DISK_FULL, READ_ONLY or EPOCH_SUPERSEDED.
   * @throws OVERLOADED when the queue is full; nothing was queued then.
   */
  append(payload: EncodedPayload): { readonly seq: number; readonly durable: Promise<void> } {
    if (this.#failure !== undefined) throw this.#failure;
    const bytes = FRAME_HEADER_BYTES + payload.bytes;
    if (this.#queue.length >= QUEUED_RECORDS_MAX || (this.#queue.length > 0 && this.#queuedBytes + bytes > QUEUED_BYTES_MAX)) {
      throw new SessionError('OVERLOADED', 'the journal has more waiting than it may hold', {
        facts: { queuedCount: this.#queue.length, queuedBytes: this.#queuedBytes },
        retryAfterMs: OVERLOADED_RETRY_MS,
      });
    }
    const seq = this.#assignedSeq + 1;
    this.#assignedSeq = seq;
    this.#queuedBytes += bytes;
    const durable = new Promise<void>((resolve, reject) => {
      this.#queue.push({ seq, payload, bytes, resolve, reject });
    });
    if (!this.#writing) void this.#writeGroups();
    return { seq, durable };
  }

  /**
   * Ends the current segment once it holds some records: the next one opens a new segment, so a later
   * checkpoint can free this one. A segment with less is cheaper to replay than to change.
   */
  seal(): void {
    if ((this.#active?.position ?? 0) >= SEAL_BYTES_MIN) this.#sealRequested = true;
  }

  /**
   * Recycles the segments whose records are all at or below `seq`, oldest first. The newest one stays
   * until another is begun: its name carries the sequence should the index be lost.
   */
  async recycleThrough(seq: number): Promise<void> {
    for (;;) {
      const oldest = this.#kept[0];
      const isNewest = this.#kept.length === 1 && this.#active === undefined;
      if (oldest === undefined || oldest.lastSeq > seq || isNewest) break;
      // What a successor may still read is not ours to take away.
      this.#options.fence();
      await this.#options.pool.recycle(oldest.path);
      this.#kept.shift();
    }
    await this.#options.pool.trim();
  }

  /** Resolves when nothing is queued or in flight. */
  async drained(): Promise<void> {
    if (!this.#writing) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Refuses further records and closes the segment. What was acknowledged stays. */
  async close(): Promise<void> {
    this.#failure ??= new SessionError('SHUTTING_DOWN', 'the journal is closed');
    await this.drained();
    const active = this.#active;
    this.#active = undefined;
    if (active !== undefined) await this.#options.fs.close(active.fd);
    await this.#options.pool.settled();
  }

  async #writeGroups(): Promise<void> {
    this.#writing = true;
    while (this.#queue.length > 0) {
      let group: Queued[] = [];
      try {
        const segment = await this.#segmentFor(this.#queue[0] as Queued);
        group = this.#takeGroup(segment);
        await this.#writeGroup(segment, group);
      } catch (error) {
        this.#fail(error, group);
      }
    }
    this.#writing = false;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }

  /** The segment that the next record goes to; opens a new one where the current is full or sealed. */
  async #segmentFor(next: Queued): Promise<ActiveSegment> {
    const active = this.#active;
    const fits = active !== undefined && active.position + next.bytes <= SEGMENT_BYTES;
    if (active !== undefined && fits && !this.#sealRequested) return active;
    if (active !== undefined) {
      this.#kept.push({ path: active.path, firstSeq: active.firstSeq, lastSeq: active.lastSeq, bytes: active.position });
      this.#active = undefined;
      await this.#options.fs.close(active.fd);
    }
    this.#sealRequested = false;
    const file = await this.#options.pool.take(next.seq, this.#options.fence);
    const opened: ActiveSegment = { ...file, seed: segmentSeed(next.seq, this.#options.epoch), position: 0, lastSeq: next.seq - 1 };
    this.#active = opened;
    return opened;
  }

  #takeGroup(segment: ActiveSegment): Queued[] {
    let bytes = 0;
    let count = 0;
    // A segment's first group may pass the segment's size by one large record: the file grows then.
    const room = Math.max(SEGMENT_BYTES - Math.max(segment.position, SEGMENT_HEADER_BYTES), 0);
    for (const queued of this.#queue) {
      if (count >= GROUP_RECORDS_MAX) break;
      if (count > 0 && (bytes + queued.bytes > GROUP_BYTES_MAX || bytes + queued.bytes > room)) break;
      bytes += queued.bytes;
      count += 1;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  async #writeGroup(segment: ActiveSegment, group: readonly Queued[]): Promise<void> {
    const buffers: Buffer[] = [];
    if (segment.position === 0) buffers.push(encodeSegmentHeader(segment.firstSeq, this.#options.epoch));
    for (const queued of group) {
      const place = { seq: queued.seq, epoch: this.#options.epoch, syncedSeq: this.#syncedSeq, seed: segment.seed };
      for (const buffer of encodeFrame(queued.payload, place)) buffers.push(buffer);
    }
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    await this.#options.fs.writeAll(segment.fd, buffers, segment.position);
    this.#options.fence();
    segment.position += bytes;
    this.#writtenBytes += bytes;
    const last = group[group.length - 1] as Queued;
    segment.lastSeq = last.seq;
    this.#syncedSeq = last.seq;
    if (segment.position > SEGMENT_BYTES / 2) this.#options.pool.prepare();
    for (const queued of group) queued.resolve();
  }

  #fail(error: unknown, group: readonly Queued[]): void {
    const inFlight = group.length > 0 ? outcomeUnknown(error) : undefined;
    const failure = journalFailure(error);
    this.#failure = failure;
    const rest = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const queued of group) queued.reject(inFlight ?? failure);
    for (const queued of rest) queued.reject(failure);
    this.#options.onFailure(failure);
  }
}

/** What a caller in the failed group is told: the record may or may not be there. */
function outcomeUnknown(cause: unknown): SessionError {
  // A fence that fell after the write: the successor may have read the group before it was voided.
  return new SessionError('OUTCOME_UNKNOWN', `the journal could not be written: ${describe(cause)}`, {
    cause,
    hint: 'repeat the request with the same idempotency key',
  });
}

/** What callers behind the failed group are told: their record was never written. */
function journalFailure(cause: unknown): SessionError {
  if (cause instanceof SessionError) return cause;
  const message = `the journal could not be written: ${describe(cause)}`;
  if (hasErrorCode(cause, 'ENOSPC', 'EDQUOT', 'EFBIG')) return new SessionError('DISK_FULL', message, { cause });
  if (hasErrorCode(cause, 'EROFS', 'EACCES', 'EPERM')) return new SessionError('READ_ONLY', message, { cause });
  return new SessionError('OUTCOME_UNKNOWN', message, { cause });
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

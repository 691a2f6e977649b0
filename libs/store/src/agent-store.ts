/**
 * One agent's store on disk, held by its one owner. The conductor: it orders the parts and does
 * none of their work.
 *
 *     mutate: decide → journal (one synced write a group) → acknowledge → transcripts, index
 *     read:   wait until the index has what was acknowledged → query
 *
 * Order on disk: journal first, everything else from it. When the process dies on any line here, the
 * next opening replays the journal; when the journal cannot be written, this object refuses all
 * further work (`failure`) and its holder opens the store anew.
 */
import { SessionError, type JsonValue } from '@sessions/domain';
import type { ArchiveOps } from './archive/archive-ops';
import type { FileHolder, HeldFiles, HoldRequest } from './archive/held-files';
import { HeldUses } from './archive/held-uses';
import { JOURNAL_BYTES_REFUSED, runCheckpoint, type CheckpointReport } from './checkpoint';
import { CHECKPOINT_RETRY_MS, CheckpointSchedule } from './checkpoint-schedule';
import { indexChanges, planMutation, TranscriptNotReady, type PlannedMutation } from './decide';
import type { ExternalEdits } from './external-edits';
import type { StoreOwnership } from './files/owner-file';
import type { FileSystem } from './files/file-system';
import type { StoreLayout } from './files/layout';
import { FirstAnswers } from './first-answers';
import type { IndexWorkerClient } from './index-worker-client';
import { encodePayload, type AppendOp, type RelocateOp, type UsageOp } from './journal/codec';
import type { Journal } from './journal/journal';
import { mutationView } from './mutation-view';
import type { PendingEntries } from './pending-entries';
import type { PendingUsage } from './pending-usage';
import type { IndexReader } from './session-index/index-reader';
import type { IndexChange, SearchTextsReply, SearchTextsRequest, StoreNotice, UsageAnswer, UsageQuery } from './session-index/worker-protocol';
import { StoreFacts } from './store-facts';
import { StoreFiles } from './store-files';
import { StoreReads, type EntryRef, type HistoryPage, type HistoryQuery, type ListPage, type ListQuery, type StoredEntry, type StoreInfo } from './store-reads';
import type { TranscriptFiles } from './transcript/transcript-files';
import type { Mutation, MutationOutcome, TranscriptTail } from './types';

/** A decision is made again this often while transcripts it looks at are being prepared. */
const DECISIONS_MAX = 8;
/** Reasons after which nothing that this owner does can be believed. */
const ENDS_THE_STORE: ReadonlySet<string> = new Set(['EPOCH_SUPERSEDED', 'OUTCOME_UNKNOWN']);
/** Notices kept for `info`. */
const NOTICES_MAX = 100;

export interface StoreParts {
  readonly agentId: string;
  readonly layout: StoreLayout;
  readonly fs: FileSystem;
  readonly ownership: StoreOwnership;
  readonly journal: Journal;
  readonly worker: IndexWorkerClient;
  readonly reader: IndexReader;
  readonly transcripts: TranscriptFiles;
  readonly archives: ArchiveOps;
  readonly holder: FileHolder;
  readonly pending: PendingEntries;
  readonly pendingUsage: PendingUsage;
  readonly edits: ExternalEdits;
  readonly writable: boolean;
  readonly flush: 'checkpoint' | 'sync';
  readonly checkpointDelayMs: number;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  readonly notices: StoreNotice[];
  readonly onNotice: (notice: StoreNotice) => void;
  readonly onFailure: (error: SessionError) => void;
  /** False while the index has not been checked after an unclean stop. */
  readonly isIndexSound: () => boolean;
  /** Ends what still runs beside the store, and resolves when it has let go of the files. */
  readonly onClose: () => Promise<void>;
}

/** What cannot write just now. */
type Part = 'transcripts' | 'archives' | 'index';

export class AgentStore {
  /** Archives, and transcripts as whole files. */
  readonly files: StoreFiles;
  /** What maintenance plans are made from. */
  readonly facts: StoreFacts;
  readonly #parts: StoreParts;
  readonly #reads: StoreReads;
  readonly #answers: FirstAnswers;
  readonly #troubles = new Map<Part, SessionError>();
  readonly #uses = new HeldUses();
  #failure: SessionError | undefined;
  #closing = false;
  #rewriteDue = false;
  #checkpointing: Promise<CheckpointReport> | undefined;
  readonly #schedule: CheckpointSchedule;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.files = new StoreFiles(parts);
    this.#answers = new FirstAnswers({ reader: parts.reader, worker: parts.worker, epoch: parts.ownership.record.epoch });
    this.#reads = new StoreReads({ ...parts, epoch: parts.ownership.record.epoch, rewriteDue: () => this.#rewriteDue });
    this.facts = new StoreFacts({ ...parts, upToDate: () => this.#reads.upToDate() });
    this.#schedule = new CheckpointSchedule({
      delayMs: parts.checkpointDelayMs,
      monotonicMs: parts.monotonicMs,
      journal: parts.journal,
      mayRun: () => !this.#closing && this.#failure === undefined && parts.writable,
      run: () => this.checkpoint(),
      onFailure: (error) =>
        parts.onNotice({ kind: 'damage', message: `the sessions file could not be written: ${error instanceof Error ? error.message : String(error)}`, path: parts.layout.sessionsFile }),
    });
  }

  get agentId(): string {
    return this.#parts.agentId;
  }

  get layout(): StoreLayout {
    return this.#parts.layout;
  }

  get epoch(): number {
    return this.#parts.ownership.record.epoch;
  }

  /** False: what stands on disk could not be read as a whole; mutations are refused until it is repaired. */
  get writable(): boolean {
    return this.#parts.writable;
  }

  /** Set once the store can do no more; its holder closes it and opens it anew. */
  get failure(): SessionError | undefined {
    return this.#failure;
  }

  /** Journals where acknowledged lines stand after foreign ones came before them. */
  async relocate(op: RelocateOp): Promise<void> {
    const { seq, durable } = this.#parts.journal.append(encodePayload({ atMs: this.#parts.nowMs(), ops: [op] }));
    await durable;
    this.#parts.worker.push([], seq);
  }

  /** Journals that the file operations of a record stand on disk, and tells the index what became of the transcripts. */
  async noteFilesDone(seq: number, facts: readonly IndexChange[]): Promise<void> {
    const done = this.#parts.journal.append(encodePayload({ atMs: this.#parts.nowMs(), ops: [{ op: 'done', seq }] }));
    await done.durable;
    this.#parts.worker.push(facts, done.seq);
    // A transcript that is let go is asked of the index.
    await this.#parts.worker.reached(done.seq).catch(() => undefined);
  }

  /**
   * Holds files for one piece of work: what is acknowledged for them by now is in them, and nothing
   * else of this store changes them until the work, and what its mutation does to them, is done.
   * @throws VALIDATION for names outside the store, DAMAGED for what is no regular file, SESSION_LOCKED
   *   while a foreign program holds a transcript, DISK_FULL or READ_ONLY while its lines cannot be written.
   */
  async withHeld<T>(requests: readonly HoldRequest[], work: (held: HeldFiles) => Promise<T>): Promise<T> {
    this.#refuseWhenUnable();
    const held = await this.#parts.holder.hold(requests);
    try {
      return await work(held);
    } finally {
      // An operation that has to wait for room keeps its files; nobody waits for it.
      const release = this.#uses.release(held);
      if (this.#troubles.get('archives') === undefined) await release;
    }
  }

  /** Ends the store's work for good: nothing further is acknowledged. */
  fail(error: SessionError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#schedule.cancel();
    this.#parts.transcripts.end();
    this.#parts.archives.end();
    this.#parts.onFailure(error);
  }

  /** A part cannot write just now: mutations are refused until it can (undefined) again; reads go on. */
  setTrouble(part: Part, trouble: SessionError | undefined): void {
    if (trouble === undefined) this.#troubles.delete(part);
    else this.#troubles.set(part, trouble);
  }

  /**
   * Makes one decision durable and resolves when it is.
   * @throws what `decide` throws; IDEMPOTENCY_MISMATCH; STORE_UNREADABLE, DISK_FULL, READ_ONLY,
   *   SESSION_LOCKED or OVERLOADED with nothing done; OUTCOME_UNKNOWN when it may be there or not.
   */
  async mutate<T extends JsonValue>(mutation: Mutation<T>): Promise<MutationOutcome<T>> {
    this.#refuseWhenUnable();
    if (this.#parts.edits.due) await this.#parts.edits.check();
    await this.#parts.worker.room();
    const outcome = await this.#decideAndWrite(mutation);
    if (this.#parts.flush === 'sync' && !outcome.repeated) await this.checkpoint();
    return outcome;
  }

  list(query: ListQuery): Promise<ListPage> {
    return this.#reads.list(query);
  }

  /** Encoded rows of the sessions that were spawned by, or name as parent, each of these keys, newest first. */
  childrenOf(keys: readonly string[], limitEach: number): Promise<ReadonlyMap<string, readonly Uint8Array[]>> {
    return this.#reads.childrenOf(keys, limitEach);
  }

  /** Messages of live transcripts in which all terms stand, newest first. Archives are never searched. */
  searchTexts(request: SearchTextsRequest): Promise<SearchTextsReply> {
    return this.#reads.searchTexts(request);
  }

  entry(ref: EntryRef): Promise<StoredEntry | undefined> {
    return this.#reads.entry(ref);
  }

  /** @returns undefined when there is no such session. */
  history(query: HistoryQuery): Promise<HistoryPage | undefined> {
    return this.#reads.history(query);
  }

  /** The first result, or note, under a key, while it is kept; undefined: none is known. */
  storedResult(key: string): Promise<JsonValue | undefined> {
    return this.#reads.storedResult(key);
  }

  /** Those under all keys that begin with `prefix`, at most RESULTS_MAX. */
  storedResults(prefix: string): Promise<JsonValue[]> {
    return this.#reads.storedResults(prefix);
  }

  /** Sums or lines of the usage ledger. */
  usage<V extends UsageQuery>(query: V): Promise<UsageAnswer<V>> {
    return this.#reads.usage(query);
  }

  info(): Promise<StoreInfo> {
    return this.#reads.info();
  }

  /** Brings `sessions.json` up to everything acknowledged so far. */
  async checkpoint(): Promise<CheckpointReport> {
    while (this.#checkpointing !== undefined) await this.#checkpointing.catch(() => undefined);
    this.#schedule.cancel();
    const { fs, layout, journal, worker, transcripts, archives, edits, ownership, nowMs, monotonicMs } = this.#parts;
    const fence = (): void => ownership.fence();
    this.#checkpointing = runCheckpoint({ fs, layout, journal, worker, transcripts, archives, edits, fence, nowMs, monotonicMs });
    let report: CheckpointReport | undefined;
    try {
      report = await this.#checkpointing;
      this.#rewriteDue = false;
      return report;
    } catch (error) {
      if (error instanceof SessionError && ENDS_THE_STORE.has(error.reason)) this.fail(error);
      throw error;
    } finally {
      this.#schedule.ended(report);
      this.#checkpointing = undefined;
    }
  }

  /** Finishes what was accepted, brings `sessions.json` up to date and frees the store. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    await this.#parts.onClose();
    this.#schedule.cancel();
    const { journal, worker, reader, transcripts, archives, ownership } = this.#parts;
    try {
      await journal.drained();
      await archives.close();
      // A transcript that cannot be written now is written from the journal at the next opening.
      transcripts.end();
      if (this.#failure === undefined && this.#parts.writable && this.isCheckpointDue) await this.checkpoint();
    } finally {
      await journal.close();
      await transcripts.close();
      reader.close();
      await worker.close(this.#parts.isIndexSound());
      ownership.release();
    }
  }

  /** `sessions.json` is missing or broken and must be written again although nothing was mutated. */
  rewriteSessionsFile(): void {
    this.#rewriteDue = true;
    this.scheduleCheckpoint(true);
  }

  /** Asks for a checkpoint as soon as its spacing allows; `soon` skips the spacing. */
  scheduleCheckpoint(soon = false): void {
    this.#schedule.ask(soon);
  }

  #refuseWhenUnable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing) throw new SessionError('SHUTTING_DOWN', `the store of agent ${this.agentId} is closing`);
    if (!this.#parts.writable) {
      throw new SessionError('STORE_UNREADABLE', `${this.#parts.layout.sessionsFile} cannot be read; nothing is written to this store`, {
        facts: { agentId: this.agentId, path: this.#parts.layout.sessionsFile },
        hint: `run: openclaw sessions verify --agent ${this.agentId} --repair`,
      });
    }
    if (this.#parts.journal.keptBytes > JOURNAL_BYTES_REFUSED) {
      throw new SessionError('OVERLOADED', `the journal of agent ${this.agentId} has grown to its bound: sessions.json could not be written for long`, {
        facts: { agentId: this.agentId, path: this.#parts.layout.sessionsFile, journalBytes: this.#parts.journal.keptBytes },
        hint: 'see the log for why the sessions file cannot be written',
        retryAfterMs: CHECKPOINT_RETRY_MS,
      });
    }
    const [trouble] = this.#troubles.values();
    if (trouble !== undefined) throw trouble;
  }

  async #decideAndWrite<T extends JsonValue>(mutation: Mutation<T>): Promise<MutationOutcome<T>> {
    for (let attempt = 1; ; attempt += 1) {
      const repeat = this.#answers.to(mutation);
      if (repeat !== undefined) return repeat;
      try {
        return await this.#start(mutation);
      } catch (error) {
        if (!(error instanceof TranscriptNotReady) || attempt >= DECISIONS_MAX) throw error;
        await this.#prepare(error.file);
        this.#refuseWhenUnable();
      }
    }
  }

  /** A transcript's lock that a higher epoch holds says the same as a fence that has fallen. */
  async #prepare(file: string): Promise<void> {
    try {
      await this.#parts.transcripts.prepare(file);
    } catch (error) {
      if (error instanceof SessionError && error.reason === 'EPOCH_SUPERSEDED') this.fail(error);
      throw error;
    }
  }

  /** Decides and hands the record to the journal without giving way in between. */
  #start<T extends JsonValue>(mutation: Mutation<T>): Promise<MutationOutcome<T>> {
    const { transcripts, journal, pending } = this.#parts;
    const view = mutationView(this.#parts, mutation.held);
    const decision = mutation.decide(view);
    const sources = { nowMs: view.nowMs, text: (key: string) => view.entry(key)?.text, tail: (file: string) => view.transcript(file) };
    const planned = planMutation(mutation, decision, sources);
    const appendOps = planned.appends.map(
      (append): AppendOp => ({ op: 'append', file: append.file, offset: sources.tail(append.file).bytes, bytes: append.bytes, ...append.op }),
    );
    const payload = encodePayload({ atMs: view.nowMs, ops: [...planned.entryOps, ...appendOps, ...planned.usage.map((line): UsageOp => ({ op: 'usage', line })), ...planned.fileOps], ...(planned.stored ? { stored: planned.stored } : {}), notes: planned.notes });
    const { seq, durable } = journal.append(payload);
    const tails = new Map<string, TranscriptTail>();
    for (const append of planned.appends) {
      const offset = transcripts.reserve(append.file, append.bytes.length, append.next);
      tails.set(append.file, { ...append.next, bytes: offset + append.bytes.length });
    }
    for (const [key, text] of planned.texts) pending.set(key, text, seq);
    this.#parts.pendingUsage.add(planned.usage, seq);
    const filesDone = this.#uses.note(mutation.held, planned.fileOps);
    const outcome = durable.then(
      () => {
        this.#apply(planned, appendOps, tails, seq);
        if (planned.fileOps.length === 0) return undefined;
        const { tried, ended } = this.#parts.archives.run(seq, planned.fileOps);
        void ended.then(filesDone);
        return tried;
      },
      (error: unknown) => {
        filesDone();
        throw error;
      },
    ).then((): MutationOutcome<T> => {
      return { result: decision.result, seq, epoch: this.epoch, repeated: false, effects: planned.effects };
    });
    this.#answers.note(mutation, outcome, seq);
    return outcome;
  }

  /** Runs in sequence order, as the journal resolves its records in order. */
  #apply(planned: PlannedMutation, appends: readonly AppendOp[], tails: ReadonlyMap<string, TranscriptTail>, seq: number): void {
    for (const append of appends) this.#parts.transcripts.write(append.file, seq, append.offset, append.bytes);
    this.#parts.worker.push(indexChanges(planned, { epoch: this.epoch, seq }, tails), seq);
    this.scheduleCheckpoint();
  }

  /** True while `sessions.json` lacks something acknowledged. */
  get isCheckpointDue(): boolean {
    return this.#rewriteDue || this.#parts.journal.syncedSeq > this.#reads.checkpointSeq;
  }

  /** Remembers a notice and passes it on. */
  notice(notice: StoreNotice): void {
    const { notices } = this.#parts;
    notices.push(notice);
    if (notices.length > NOTICES_MAX) notices.shift();
  }
}

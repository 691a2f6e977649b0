/**
 * Opens one agent's store for its owner: lock and epoch, journal, index, replay; then it serves.
 *
 * Nothing is changed on disk before the store is ours, and everything this does can be interrupted
 * and done again with the same result.
 */
import * as path from 'node:path';
import { SessionError, asAgentId, type EraseSubject } from '@sessions/domain';
import { AgentStore } from './agent-store';
import { ArchiveOps } from './archive/archive-ops';
import { FileHolder } from './archive/held-files';
import { cutTornManifest } from './archive/manifest';
import { performFileOps } from './archive/perform-file-ops';
import { isStagedName } from './archive/stage-transcript';
import { checkIndexInBackground } from './check-index';
import { eraseWith, resumeErasure, type EraseReport } from './erase/erase-in-store';
import { EditsWatch } from './edits-watch';
import { ExternalEdits } from './external-edits';
import { hasErrorCode, nodeFileSystem, type FileSystem } from './files/file-system';
import { storeLayout, type StoreLayout } from './files/layout';
import { acquireOwnership, type StoreOwnership } from './files/owner-file';
import { startTicksOf } from './files/process-identity';
import { quarantineBytes, quarantineCopy } from './files/quarantine';
import { assertRealDirectories } from './files/real-directories';
import { disarmFormerOwner, sweepDirectory } from './files/sweep-directory';
import type { WriteLockSettings } from './files/transcript-lock';
import type { LockReport } from './files/transcript-lock';
import { IndexWorkerClient } from './index-worker-client';
import type { FileOp, JournalRecord } from './journal/codec';
import { Journal } from './journal/journal';
import { readJournal, type ReplayedJournal } from './journal/replay';
import { SegmentPool } from './journal/segment-pool';
import { PendingEntries } from './pending-entries';
import { PendingUsage } from './pending-usage';
import { appendedFiles, movedFiles, openFileOps, replayEntries, replayTranscripts, type ReplayedTranscripts } from './recovery';
import { IndexReader } from './session-index/index-reader';
import { lastUsageEpoch } from './session-index/usage-file';
import type { IndexChange, OpenIndexReply, StoreNotice } from './session-index/worker-protocol';
import { TranscriptFiles } from './transcript/transcript-files';

/** Least time from a write to its checkpoint. */
export const CHECKPOINT_DELAY_MS = 250;
export const WRITE_LOCK_DEFAULTS: WriteLockSettings = { acquireTimeoutMs: 60_000, staleMs: 30 * 60_000, maxHoldMs: 5 * 60_000 };
/** Changes handed to the index in one go while replaying. */
const REPLAY_BATCH = 1000;
const DIRECTORY_MODE = 0o700;

export interface OpenStoreOptions {
  readonly agentId: string;
  /** Absolute path of the store's `sessions.json`. */
  readonly sessionsFile: string;
  /** Name of this process among its peers; shown to those who find the store taken. */
  readonly instance: string;
  readonly transport: 'standalone' | 'split';
  readonly clock: { nowMs(): number };
  /** Epoch that a lease has granted; the store's own may be higher. */
  readonly epochFloor?: number;
  /** The lease that granted `epochFloor` is held: the lock is taken from an owner among writers that is still there. Default false. */
  readonly takesOver?: boolean;
  /** `sync`: `sessions.json` is written before each acknowledgement. */
  readonly flush?: 'checkpoint' | 'sync';
  readonly checkpointDelayMs?: number;
  readonly writeLock?: WriteLockSettings;
  /** False: what is said is not indexed, and `searchTexts` finds nothing new. Default true. */
  readonly indexesTexts?: boolean;
  /** Path of better_sqlite3.node, for bundles. */
  readonly nativeBinding?: string;
  /** Take rows rebuilt from transcripts for the whole truth and write to a store whose file is broken. */
  readonly acceptPartial?: boolean;
  readonly onNotice?: (notice: StoreNotice) => void;
  readonly onFailure?: (error: SessionError) => void;
  /** The port to disk; tests put a faulty one here. */
  readonly fileSystem?: FileSystem;
}

/**
 * @throws SESSION_LOCKED naming the process that holds the store; READ_ONLY or DISK_FULL when the
 *   store's own directory cannot be written; VALIDATION for a path or agent id that cannot be one.
 */
export async function openStore(options: OpenStoreOptions): Promise<AgentStore> {
  // Nothing is served of a store while somebody waits to be gone from it.
  await translateDiskErrors(storeLayout(options.agentId, options.sessionsFile), () => resumeErasure(openForErasure, options));
  return openForErasure(options);
}

/** As `openStore`, while an erasure is under way. */
async function openForErasure(options: OpenStoreOptions): Promise<AgentStore> {
  asAgentId(options.agentId);
  if (!path.isAbsolute(options.sessionsFile)) throw new SessionError('VALIDATION', `the path of a sessions file must be absolute, got ${options.sessionsFile}`);
  const disk = options.fileSystem ?? nodeFileSystem;
  const layout = storeLayout(options.agentId, options.sessionsFile);
  await translateDiskErrors(layout, () => assertRealDirectories(layout));
  await translateDiskErrors(layout, () => disk.mkdir(layout.ownDir, DIRECTORY_MODE));
  const notices: StoreNotice[] = [];
  const journalBefore = await translateDiskErrors(layout, () => readJournal(disk, layout.ownDir));
  const ownership = await translateDiskErrors(layout, () =>
    acquireOwnership(layout, {
      fs: disk,
      instance: options.instance,
      transport: options.transport,
      nowMs: options.clock.nowMs(),
      // Where neither owner nor journal tells, the ledger does: lines of a lower epoch would stand before those that it has, as if it had them.
      epochFloor: Math.max(options.epochFloor ?? 1, (journalBefore.highestEpoch || lastUsageEpoch(layout.ownDir)) + 1),
      ...(options.takesOver === true && options.epochFloor !== undefined ? { takesOverBelow: options.epochFloor } : {}),
      onBrokenRecord: (copy) => notices.push({ kind: 'damage', message: 'the owner record could not be read; it is set aside', ...(copy === undefined ? {} : { path: copy }) }),
      ...(options.nativeBinding === undefined ? {} : { nativeBinding: options.nativeBinding }),
    }),
  );
  try {
    return await translateDiskErrors(layout, () => openOwned(options, disk, layout, ownership, notices));
  } catch (error) {
    ownership.release();
    throw error;
  }
}

/**
 * Erases one session or one person from a store that is closed and that nobody opens meanwhile.
 * @throws what `eraseWith` throws
 */
export function eraseInStore(options: OpenStoreOptions, subject: EraseSubject): Promise<EraseReport> {
  return eraseWith(openForErasure, options, subject);
}

async function openOwned(options: OpenStoreOptions, disk: FileSystem, layout: StoreLayout, ownership: StoreOwnership, notices: StoreNotice[]): Promise<AgentStore> {
  const nowMs = (): number => options.clock.nowMs();
  await disarmFormerOwner({ fs: disk, layout, former: ownership.former });
  const pool = new SegmentPool(disk, layout.ownDir, ownership.record.epoch);
  await pool.removeInherited();
  // Read again now that the store is ours: the last owner may have written until a moment ago.
  const replayed = await readJournal(disk, layout.ownDir);
  for (const damage of replayed.damage) {
    const copy = quarantineCopy(damage.path, layout.quarantineDir, nowMs());
    notices.push({ kind: 'damage', message: `acknowledged mutations ${damage.fromSeq} to ${damage.toSeq} cannot be read from the journal`, path: copy ?? damage.path, count: damage.toSeq - damage.fromSeq + 1 });
  }
  await removeEmptySegments(replayed, disk, layout, nowMs());
  await cutTornManifest(disk, layout.manifestFile, (torn) => void quarantineBytes(path.basename(layout.manifestFile), torn, layout.quarantineDir, nowMs()));
  let store: AgentStore | undefined;
  const worker = new IndexWorkerClient({
    onFailure: (error) => {
      store?.fail(error instanceof SessionError ? error : new SessionError('INTERNAL', `the session index failed: ${error.message}`, { cause: error }));
    },
    onTrouble: (trouble) => store?.setTrouble('index', trouble),
  });
  try {
    const opened = await worker.call('open', {
      indexFile: layout.indexFile,
      sessionsFile: layout.sessionsFile,
      dir: layout.dir,
      ownDir: layout.ownDir,
      agentId: options.agentId,
      epoch: ownership.record.epoch,
      journalBaseSeq: replayed.baseSeq,
      journalLastSeq: replayed.lastSeq,
      nowMs: nowMs(),
      indexesTexts: options.indexesTexts ?? true,
      ...(options.nativeBinding === undefined ? {} : { nativeBinding: options.nativeBinding }),
    });
    notices.push(...opened.notices);
    worker.startAt(opened.appliedSeq);
    const reader = new IndexReader(layout.indexFile, options.agentId, options.nativeBinding);
    const partial = !opened.writable && options.acceptPartial !== true;
    if (partial) worker.startAt(Math.max(replayed.lastSeq, opened.appliedSeq));
    const replay = partial ? undefined : await replayJournal(replayed, opened, { options, disk, layout, ownership, worker, reader });
    notices.push(...(replay?.notices ?? []));
    store = assemble({ options, disk, layout, ownership, pool, worker, reader, replayed, opened, notices, writable: !partial, unwritten: replay?.unwritten ?? new Map() });
    if (!partial) for (const { seq } of openFileOps(replayed.records)) await store.noteFilesDone(seq, []);
    for (const notice of [...notices]) options.onNotice?.(notice);
    if (!partial && (opened.rewriteDue || !opened.writable)) store.rewriteSessionsFile();
    else if (store.isCheckpointDue) store.scheduleCheckpoint();
    return store;
  } catch (error) {
    await worker.close();
    throw error;
  }
}

interface Opening {
  readonly options: OpenStoreOptions;
  readonly disk: FileSystem;
  readonly layout: StoreLayout;
  readonly ownership: StoreOwnership;
  readonly worker: IndexWorkerClient;
  readonly reader: IndexReader;
}

async function replayJournal(replayed: ReplayedJournal, opened: OpenIndexReply, opening: Opening): Promise<ReplayedTranscripts> {
  const { options, disk, layout, ownership, worker, reader } = opening;
  const transcripts = await replayTranscripts(replayed.records, {
    fs: disk,
    layout,
    nowMs: options.clock.nowMs(),
    // A sync that failed may have left bytes that read back right and are on no disk.
    rewriteAll: !opened.closedCleanly,
  });
  const notices = [...transcripts.notices];
  const place = { fs: disk, layout, fence: () => ownership.fence(), onNotice: (notice: StoreNotice) => void notices.push(notice) };
  for (const { ops } of openFileOps(replayed.records)) await performFileOps(place, ops, true);
  await removeStaged(disk, layout);
  const behind = replayed.records.filter((record) => record.seq > opened.appliedSeq);
  // Facts go with the first batch: pushed alone behind the last one they would wait for the next mutation.
  const facts: IndexChange[] = [];
  // What an operation did to a transcript is told with its `done` record, so any of them may be news.
  const news = new Set([...appendedFiles(behind), ...movedFiles(replayed.records)]);
  for (const file of news) if (!transcripts.unwritten.has(file)) facts.push({ kind: 'transcript', file, tail: await worker.call('scanTranscript', { file }) });
  for (let index = 0; index < behind.length; index += REPLAY_BATCH) {
    const batch = behind.slice(index, index + REPLAY_BATCH);
    const lastSeq = (batch[batch.length - 1] as JournalRecord).seq;
    const entries = replayEntries(batch, opened.appliedSeq, (key) => reader.text(key));
    worker.push(index === 0 ? [...facts, ...entries] : entries, lastSeq);
    await worker.reached(lastSeq);
  }
  if (behind.length === 0 && facts.length > 0) worker.push(facts, opened.appliedSeq);
  // Sequences that the journal names and no record holds (damage) are not waited for.
  if (worker.appliedSeq < replayed.lastSeq) {
    worker.push([], replayed.lastSeq);
    await worker.reached(replayed.lastSeq);
  }
  return { ...transcripts, notices };
}

interface Assembly extends Opening {
  readonly pool: SegmentPool;
  readonly replayed: ReplayedJournal;
  readonly opened: OpenIndexReply;
  readonly notices: StoreNotice[];
  readonly writable: boolean;
  readonly unwritten: ReplayedTranscripts['unwritten'];
}

function assemble({ options, disk, layout, ownership, pool, worker, reader, replayed, opened, notices, writable, unwritten }: Assembly): AgentStore {
  const nowMs = (): number => options.clock.nowMs();
  const monotonicMs = (): number => performance.now();
  const notice = (found: StoreNotice): void => {
    store.notice(found);
    options.onNotice?.(found);
  };
  const lockReport = (report: LockReport): void => notice({ kind: 'oddity', message: `transcript lock: ${report.kind}`, path: report.path });
  const background = new AbortController();
  let checking: Promise<void> = Promise.resolve();
  // Made anew just now, or left by an owner that closed in order.
  let isIndexSound = opened.closedCleanly || (opened.origin !== 'current' && opened.origin !== 'merged-edits');
  const journal = new Journal({
    fs: disk,
    pool,
    epoch: ownership.record.epoch,
    lastSeq: Math.max(replayed.lastSeq, opened.appliedSeq),
    kept: replayed.segments,
    fence: () => ownership.fence(),
    onFailure: (error) => store.fail(error),
  });
  const pending = new PendingEntries(() => worker.appliedSeq);
  const pendingUsage = new PendingUsage(() => worker.appliedSeq);
  const transcripts = new TranscriptFiles({
    fs: disk,
    dir: layout.dir,
    ownDir: layout.ownDir,
    epoch: ownership.record.epoch,
    pid: process.pid,
    startTicks: startTicksOf(process.pid),
    lock: options.writeLock ?? WRITE_LOCK_DEFAULTS,
    nowMs,
    remembered: (file) => reader.transcript(file),
    scan: (file, known) => worker.call('scanTranscript', { file, ...(known === undefined ? {} : { known }) }),
    onLockReport: lockReport,
    onLoss: (file, bytes) => notice({ kind: 'damage', message: 'a transcript has lost bytes; further lines follow on what is left', path: file, count: bytes }),
    relocate: (op) => store.relocate(op),
    onTrouble: (trouble) => store.setTrouble('transcripts', trouble),
  });
  const archives = new ArchiveOps({
    fs: disk,
    layout,
    fence: () => ownership.fence(),
    onNotice: notice,
    onDone: async (seq, ops) => store.noteFilesDone(seq, await factsOf(ops, worker)),
    onTrouble: (trouble) => store.setTrouble('archives', trouble),
    onFailure: (error) => store.fail(error),
  });
  const holder = new FileHolder({ fs: disk, dir: layout.dir, ownDir: layout.ownDir, epoch: ownership.record.epoch, transcripts, nowMs });
  const edits = new ExternalEdits({
    fs: disk,
    sessionsFile: layout.sessionsFile,
    known: opened.identity,
    monotonicMs,
    merge: async () => {
      await worker.reached(journal.syncedSeq);
      return worker.call('merge', { nowMs: nowMs() });
    },
    onMerged: (reply) => {
      pending.clear();
      for (const found of reply.notices) notice(found);
      if (reply.rewriteDue) store.rewriteSessionsFile();
    },
  });
  const store = new AgentStore({
    agentId: options.agentId,
    layout,
    fs: disk,
    ownership,
    journal,
    worker,
    reader,
    transcripts,
    archives,
    holder,
    pending,
    pendingUsage,
    edits,
    writable,
    flush: options.flush ?? 'checkpoint',
    checkpointDelayMs: options.checkpointDelayMs ?? CHECKPOINT_DELAY_MS,
    nowMs,
    monotonicMs,
    notices,
    onNotice: notice,
    onFailure: (error) => options.onFailure?.(error),
    isIndexSound: () => isIndexSound,
    onClose: async () => {
      background.abort();
      await Promise.all([checking, sweeping, watch.stop()]);
    },
  });
  if (!isIndexSound) {
    const check = { fs: disk, layout, nativeBinding: options.nativeBinding, signal: background.signal, onDamage: (error: SessionError) => store.fail(error) };
    checking = checkIndexInBackground(check).then((sound) => {
      isIndexSound = sound;
    });
  }
  const sweeping = sweepDirectory({ fs: disk, layout, epoch: ownership.record.epoch, former: ownership.former, nowMs, onLockReport: lockReport, signal: background.signal });
  const watch = new EditsWatch(edits);
  pool.prepare();
  for (const [file, lines] of unwritten) transcripts.resume(file, lines);
  return store;
}

/** What became of the transcripts that operations gave or took a name. */
async function factsOf(ops: readonly FileOp[], worker: IndexWorkerClient): Promise<IndexChange[]> {
  const facts: IndexChange[] = [];
  for (const file of movedFiles([{ ops }])) facts.push({ kind: 'transcript', file, tail: await worker.call('scanTranscript', { file }) });
  return facts;
}

/** New transcripts that no record has put into their place. */
async function removeStaged(disk: FileSystem, layout: StoreLayout): Promise<void> {
  for (const name of await disk.readdir(layout.ownDir)) if (isStagedName(name)) await disk.unlink(path.join(layout.ownDir, name));
}

/**
 * Segments that an earlier owner opened and put no whole record into: left alone they would stay for
 * ever and look like the beginning of the journal. What was begun in one is kept aside.
 */
async function removeEmptySegments(replayed: ReplayedJournal, disk: FileSystem, layout: StoreLayout, nowMs: number): Promise<void> {
  for (const { path: file, firstSeq, lastSeq, bytes } of replayed.segments) {
    if (lastSeq >= firstSeq) continue;
    if (bytes > 0) quarantineCopy(file, layout.quarantineDir, nowMs);
    await disk.unlink(file);
  }
}

async function translateDiskErrors<T>(layout: StoreLayout, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const facts = { agentId: layout.agentId, path: layout.ownDir };
    if (hasErrorCode(error, 'ENOSPC', 'EDQUOT')) throw new SessionError('DISK_FULL', `the store ${layout.dir} cannot be opened: ${message}`, { facts, cause: error });
    if (hasErrorCode(error, 'EROFS', 'EACCES', 'EPERM')) throw new SessionError('READ_ONLY', `the store ${layout.dir} cannot be written: ${message}`, { facts, cause: error });
    throw error;
  }
}

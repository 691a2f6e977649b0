/**
 * The courtesy lock beside a transcript, `<transcript>.lock`: tells foreign programs that bytes of
 * the transcript are about to change. It is help, never the guarantee; the store's epoch decides who
 * may write. Payload: `{ pid, createdAt, maxHoldMs, starttime, epoch }`, the first four as the
 * original writes them.
 *
 * Ours is written under a temporary name in the store's own directory and linked into its place: it
 * is there with its holder's name or not at all, whenever its maker dies or is stopped. `release`
 * removes it. A foreign lock whose holder lives is waited for; one whose holder is dead is removed and
 * reported. A crash leaves a dead lock or a temp file, which the next start sweeps; nothing is synced.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { SessionError } from '@sessions/domain';
import { errorCodeOf } from './error-code';
import { hasErrorCode, sameIdentity, type FileIdentity, type FileSystem } from './file-system';
import { tempFileFor } from './layout';
import { isProcessAlive } from './process-identity';

/** A payload that cannot be read is given this long to become readable: its writer may be between create and write. */
export const UNREADABLE_LOCK_MS = 30_000;
/** Longest pause between two looks at a foreign lock; a holder that dies is noticed within it. */
export const LOCK_POLL_MS_MAX = 250;
const LOCK_POLL_MS_MIN = 10;
const LOCK_BYTES_MAX = 4096;
const LOCK_MODE = 0o600;
/** How file systems say that they have no hard links. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'] as const;

export interface WriteLockSettings {
  readonly acquireTimeoutMs: number;
  readonly staleMs: number;
  readonly maxHoldMs: number;
}

/** What a lock file says about its holder. */
export interface LockHolder {
  readonly pid: number;
  readonly createdAtMs: number | undefined;
  readonly startTicks: number | undefined;
  readonly epoch: number | undefined;
}

export type DeadReason = 'process-gone' | 'pid-recycled' | 'unreadable' | 'epoch-superseded';

/** Something an operator would want in the log. */
export type LockReport =
  | { readonly kind: 'dead-lock-removed'; readonly path: string; readonly reason: DeadReason; readonly holder: LockHolder | undefined }
  | { readonly kind: 'stale-holder'; readonly path: string; readonly holder: LockHolder; readonly heldMs: number }
  | { readonly kind: 'lock-lost'; readonly path: string };

export interface TranscriptLockOptions {
  readonly fs: FileSystem;
  /** Where a lock is written before it is linked into its place: on the transcripts' file system. */
  readonly tempDir: string;
  readonly pid: number;
  /** Start time of this process in clock ticks; see startTicksOf. */
  readonly startTicks: number | undefined;
  readonly epoch: number;
  /** Written into the payload for foreign readers; milliseconds. */
  readonly maxHoldMs: number;
  /** How long a living foreign holder is waited for; milliseconds. */
  readonly acquireTimeoutMs: number;
  /** A living holder older than this is reported, never robbed; milliseconds. */
  readonly staleMs: number;
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly onReport?: (report: LockReport) => void;
}

export interface TranscriptLock {
  readonly path: string;
  /** Removes the lock if it is still ours. Calling it again does nothing. */
  release(): Promise<void>;
}

/**
 * Takes the lock of one transcript.
 * @param transcriptPath absolute; the lock stands beside it under `<transcriptPath>.lock`.
 * @throws SESSION_LOCKED naming pid and path after `acquireTimeoutMs` of a living holder;
 *   EPOCH_SUPERSEDED when a living holder has a higher epoch; DAMAGED when a directory, link or
 *   device stands in the lock's place; DISK_FULL or READ_ONLY when it cannot be written.
 */
export async function acquireTranscriptLock(transcriptPath: string, options: TranscriptLockOptions): Promise<TranscriptLock> {
  const path = `${transcriptPath}.lock`;
  // Counted from the pauses, so that a jump of the clock neither ends nor prolongs the wait.
  let waitedMs = 0;
  let pauseMs = LOCK_POLL_MS_MIN;
  let reportedStale = false;
  for (;;) {
    const own = await tryCreate(path, options);
    if (own) return own;
    const found = await inspectTranscriptLock(path, options);
    if (found.state === 'none') continue;
    if (found.state === 'dead') {
      await removeIfSame(path, found.identity, options.fs);
      options.onReport?.({ kind: 'dead-lock-removed', path, reason: found.reason, holder: found.holder });
      continue;
    }
    refuseNewerEpoch(path, found.holder, options.epoch);
    const heldMs = found.holder?.createdAtMs === undefined ? 0 : options.nowMs() - found.holder.createdAtMs;
    if (found.holder && heldMs > options.staleMs && !reportedStale) {
      options.onReport?.({ kind: 'stale-holder', path, holder: found.holder, heldMs });
      reportedStale = true;
    }
    if (waitedMs >= options.acquireTimeoutMs) throw lockedBy(path, found.holder, waitedMs);
    const ms = Math.min(pauseMs, options.acquireTimeoutMs - waitedMs);
    await options.sleep(ms);
    waitedMs += ms;
    pauseMs = Math.min(pauseMs * 2, LOCK_POLL_MS_MAX);
  }
}

export type LockInspection =
  | { readonly state: 'none' }
  /** Held, or too young to be judged; `holder` is undefined while its payload is unreadable. */
  | { readonly state: 'live'; readonly holder: LockHolder | undefined }
  | { readonly state: 'dead'; readonly reason: DeadReason; readonly holder: LockHolder | undefined; readonly identity: FileIdentity };

/**
 * Looks at a lock file and changes nothing.
 * @param path of the lock file itself.
 * @param options.epoch locks of ours below it are dead; 0 judges by process alone.
 * @throws DAMAGED when something other than a regular file stands there.
 */
export async function inspectTranscriptLock(
  path: string,
  options: Pick<TranscriptLockOptions, 'fs' | 'epoch' | 'nowMs'>,
): Promise<LockInspection> {
  const identity = await identifyLock(path, options.fs);
  if (!identity) return { state: 'none' };
  const holder = await readHolder(path, options.fs);
  if (holder === 'gone') return { state: 'none' };
  if (!holder) {
    const ageMs = options.nowMs() - Number(identity.mtimeNs / 1_000_000n);
    return ageMs > UNREADABLE_LOCK_MS ? { state: 'dead', reason: 'unreadable', holder, identity } : { state: 'live', holder };
  }
  if (!isProcessAlive(holder.pid)) return { state: 'dead', reason: 'process-gone', holder, identity };
  if (!isProcessAlive(holder.pid, holder.startTicks)) return { state: 'dead', reason: 'pid-recycled', holder, identity };
  if (holder.epoch !== undefined && holder.epoch < options.epoch) return { state: 'dead', reason: 'epoch-superseded', holder, identity };
  return { state: 'live', holder };
}

/**
 * Removes one lock file of ours if its holder is dead: the sweep at a store's start. What other
 * programs left is looked at when their transcript is written, not before.
 * @returns the reason when it was removed, undefined when it lives or is not there.
 */
export async function removeDeadTranscriptLock(
  path: string,
  options: Pick<TranscriptLockOptions, 'fs' | 'epoch' | 'nowMs' | 'onReport'>,
): Promise<DeadReason | undefined> {
  const found = await inspectTranscriptLock(path, options);
  if (found.state !== 'dead' || found.holder?.epoch === undefined || !(await removeIfSame(path, found.identity, options.fs))) return undefined;
  options.onReport?.({ kind: 'dead-lock-removed', path, reason: found.reason, holder: found.holder });
  return found.reason;
}

async function tryCreate(path: string, options: TranscriptLockOptions): Promise<TranscriptLock | undefined> {
  const { fs } = options;
  let isMade: boolean;
  try {
    isMade = await placeLock(path, options);
  } catch (error) {
    throw cannotWrite(path, error);
  }
  if (!isMade) return undefined;
  const identity = await fs.identify(path);
  let held = true;
  return {
    path,
    async release() {
      if (!held) return;
      held = false;
      if (!identity || !(await removeIfSame(path, identity, fs))) options.onReport?.({ kind: 'lock-lost', path });
    },
  };
}

/** @returns false when a lock stands there already. */
async function placeLock(path: string, options: TranscriptLockOptions): Promise<boolean> {
  const { fs } = options;
  // Without the transcript's name, which may be as long as a name can be.
  const temp = tempFileFor(join(options.tempDir, 'lock'), options.pid, randomUUID());
  try {
    await writeNew(temp, payloadOf(options), fs);
    await fs.link(temp, path);
    return true;
  } catch (error) {
    if (hasErrorCode(error, 'EEXIST')) return false;
    if (!hasErrorCode(error, ...NO_LINKS)) throw error;
    // A file system without hard links: whoever dies in the next two calls leaves a lock without a name.
    return await createInPlace(path, options);
  } finally {
    await fs.unlink(temp).catch(() => undefined);
  }
}

async function createInPlace(path: string, options: TranscriptLockOptions): Promise<boolean> {
  try {
    await writeNew(path, payloadOf(options), options.fs);
    return true;
  } catch (error) {
    if (hasErrorCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** What was begun is removed when it cannot be finished. @throws EEXIST when a file stands there. */
async function writeNew(path: string, bytes: Buffer, fs: FileSystem): Promise<void> {
  const fd = await fs.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, LOCK_MODE);
  try {
    try {
      await fs.writeAll(fd, [bytes], 0);
    } finally {
      await fs.close(fd);
    }
  } catch (error) {
    await fs.unlink(path).catch(() => undefined);
    throw error;
  }
}

function payloadOf(options: TranscriptLockOptions): Buffer {
  const payload = {
    pid: options.pid,
    createdAt: new Date(options.nowMs()).toISOString(),
    maxHoldMs: options.maxHoldMs,
    ...(options.startTicks === undefined ? {} : { starttime: options.startTicks }),
    epoch: options.epoch,
  };
  return Buffer.from(JSON.stringify(payload, null, 2));
}

/** Removes the file only if it is the one that was looked at. @returns false when it is another or gone. */
async function removeIfSame(path: string, expected: FileIdentity, fs: FileSystem): Promise<boolean> {
  if (!sameIdentity(await identifyLock(path, fs), expected)) return false;
  try {
    await fs.unlink(path);
    return true;
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return false;
    throw cannotWrite(path, error);
  }
}

async function identifyLock(path: string, fs: FileSystem): Promise<FileIdentity | undefined> {
  try {
    return await fs.identify(path);
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === 'ENOENT') return undefined;
    if (code === 'ENOTREG') throw notALock(path);
    throw error;
  }
}

/** @returns undefined for a payload that names no process. */
async function readHolder(path: string, fs: FileSystem): Promise<LockHolder | 'gone' | undefined> {
  let fd: number;
  try {
    fd = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === 'ENOENT') return 'gone';
    if (code === 'ELOOP') throw notALock(path);
    if (code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
  try {
    const buffer = Buffer.alloc(LOCK_BYTES_MAX);
    const length = await fs.read(fd, buffer, 0, buffer.length, 0);
    return parseHolder(buffer.toString('utf8', 0, length));
  } finally {
    await fs.close(fd);
  }
}

function parseHolder(text: string): LockHolder | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields: { pid?: unknown; createdAt?: unknown; starttime?: unknown; epoch?: unknown } = value;
  const pid = naturalOrUndefined(fields.pid);
  if (pid === undefined || pid === 0) return undefined;
  const createdAtMs = typeof fields.createdAt === 'string' ? Date.parse(fields.createdAt) : Number.NaN;
  return {
    pid,
    createdAtMs: Number.isNaN(createdAtMs) ? undefined : createdAtMs,
    startTicks: naturalOrUndefined(fields.starttime),
    epoch: naturalOrUndefined(fields.epoch),
  };
}

function naturalOrUndefined(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function refuseNewerEpoch(path: string, holder: LockHolder | undefined, epoch: number): void {
  if (holder?.epoch === undefined || holder.epoch <= epoch) return;
  throw new SessionError('EPOCH_SUPERSEDED', `process ${holder.pid} holds ${path} with epoch ${holder.epoch}, newer than ${epoch}`, {
    facts: { path, pid: holder.pid, epoch, newerEpoch: holder.epoch },
  });
}

function lockedBy(path: string, holder: LockHolder | undefined, waitedMs: number): SessionError {
  const who = holder ? `process ${holder.pid}` : 'a process that has not written its name into it';
  return new SessionError('SESSION_LOCKED', `the transcript lock ${path} is held by ${who}; waited ${waitedMs} ms`, {
    facts: { path, pid: holder?.pid ?? null, waitedMs },
    hint: holder ? `wait for process ${holder.pid} to end, or stop it` : 'remove the lock file if no other program uses this store',
  });
}

function notALock(path: string): SessionError {
  return new SessionError('DAMAGED', `${path} is not a regular file: a transcript lock cannot stand there`, {
    facts: { path },
    hint: 'move it out of the sessions directory',
  });
}

function cannotWrite(path: string, error: unknown): unknown {
  const code = errorCodeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SessionError('DISK_FULL', `no space for the transcript lock ${path}`, { facts: { path }, cause: error });
  }
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    return new SessionError('READ_ONLY', `the transcript lock ${path} cannot be written`, { facts: { path }, cause: error });
  }
  return error;
}

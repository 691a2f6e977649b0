/**
 * Who may write a store: `.store/owner.json` names the owner and its epoch, `.store/owner.lock`
 * carries an advisory lock of the operating system that dies with its process.
 *
 * The lock keeps two living processes apart; the epoch fences one that was stopped and woke up.
 * owner.json is replaced by rename, so a holder sees its own open descriptor lose its last link the
 * moment somebody else takes over: `fence()` costs one fstat of an open file and no disk access.
 */
import * as fs from 'node:fs';
import { hostname } from 'node:os';
import { randomInt, randomUUID } from 'node:crypto';
import Database from 'better-sqlite3';
import { SessionError } from '@sessions/domain';
import { errorCodeOf } from './error-code';
import { hasErrorCode, type FileSystem } from './file-system';
import { replaceFile } from './atomic-write';
import type { StoreLayout } from './layout';
import { quarantineCopy } from './quarantine';
import { isProcessAlive, kernelBootId, startTicksOf } from './process-identity';

/** What owner.json holds. */
export interface OwnerRecord {
  readonly epoch: number;
  readonly instance: string;
  readonly pid: number;
  readonly host: string;
  /** Start time of the process in clock ticks since boot; tells a recycled pid. */
  readonly startTicks: number | null;
  readonly acquiredAtMs: number;
  readonly transport: string;
  /** The kernel's name for this boot, shared by all containers of a machine; absent in older records. */
  readonly bootId?: string | null;
}

export interface OwnerOptions {
  readonly fs: FileSystem;
  readonly instance: string;
  readonly transport: string;
  readonly nowMs: number;
  /** An epoch that a lease has already granted; the store's own may be higher. */
  readonly epochFloor?: number;
  /**
   * Epoch of the store's lease, which the caller holds: an owner among writers of an older epoch that
   * still has the lock has outlived its own lease and was stopped, or hangs. The lock is taken from it;
   * its fence has fallen when it goes on.
   */
  readonly takesOverBelow?: number;
  /** A record that cannot be read was set aside; the copy's path. */
  readonly onBrokenRecord?: (copy: string | undefined) => void;
  /** Path of better_sqlite3.node where a bundle cannot find it by itself. */
  readonly nativeBinding?: string;
}

const FILE_MODE = 0o600;
/** The lock is tried this often, with random pauses up to this between. */
const LOCK_TRIES_MAX = 8;
const LOCK_RETRY_MS_MAX = 30;
/** How often, and how far apart, the name of a store's holder is looked for. */
const HOLDER_LOOKS_MAX = 25;
const HOLDER_LOOK_MS = 20;

/** A held store. */
export class StoreOwnership {
  readonly record: OwnerRecord;
  /** The owner before this one; undefined when there was none or its record could not be read. */
  readonly former: OwnerRecord | undefined;
  readonly #layout: StoreLayout;
  readonly #lock: OwnerLock;
  readonly #fd: number;
  #superseded = false;

  constructor(layout: StoreLayout, record: OwnerRecord, former: OwnerRecord | undefined, lock: OwnerLock, fd: number) {
    this.#layout = layout;
    this.record = record;
    this.former = former;
    this.#lock = lock;
    this.#fd = fd;
  }

  /** @throws EPOCH_SUPERSEDED once owner.json is no longer the one this holder wrote. */
  fence(): void {
    if (!this.#superseded && fs.fstatSync(this.#fd).nlink > 0) return;
    this.#superseded = true;
    const now = readOwnerSync(this.#layout.ownerFile);
    throw new SessionError('EPOCH_SUPERSEDED', `the store of agent ${this.#layout.agentId} has a newer owner`, {
      facts: { agentId: this.#layout.agentId, epoch: this.record.epoch, newerEpoch: now?.epoch ?? null, newerPid: now?.pid ?? null },
    });
  }

  /** Frees the store. owner.json stays: it carries the epoch. */
  release(): void {
    fs.closeSync(this.#fd);
    this.#lock.release();
  }
}

/**
 * Takes a store: lock, then owner.json with an epoch above every earlier one.
 * @throws SESSION_LOCKED naming the holder when another process has the store;
 *   READ_ONLY or DISK_FULL when owner.json cannot be written.
 */
export async function acquireOwnership(layout: StoreLayout, options: OwnerOptions): Promise<StoreOwnership> {
  const lock = (await takeLock(layout, options.nativeBinding)) ?? (await takeLockFrom(layout, options));
  if (lock === undefined) throw heldBy(layout, await holderOf(layout));
  try {
    const before = readOrSetAside(layout, options);
    const record: OwnerRecord = {
      epoch: Math.max(before?.epoch ?? 0, (options.epochFloor ?? 1) - 1) + 1,
      instance: options.instance,
      pid: process.pid,
      host: hostname(),
      startTicks: startTicksOf(process.pid) ?? null,
      acquiredAtMs: options.nowMs,
      transport: options.transport,
      bootId: kernelBootId() ?? null,
    };
    const bytes = Buffer.from(`${JSON.stringify(record, null, 2)}\n`, 'utf8');
    await replaceFile(options.fs, layout.ownerFile, bytes, `${process.pid}.${randomUUID()}`);
    const fd = fs.openSync(layout.ownerFile, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    return new StoreOwnership(layout, record, before, lock, fd);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Under the lock: a record that cannot be read is kept in the quarantine; the journal knows its epoch. */
function readOrSetAside(layout: StoreLayout, { nowMs, onBrokenRecord }: OwnerOptions): OwnerRecord | undefined {
  try {
    return readOwnerSync(layout.ownerFile);
  } catch (error) {
    if (!(error instanceof SessionError) || error.reason !== 'DAMAGED') throw error;
    const copy = quarantineCopy(layout.ownerFile, layout.quarantineDir, nowMs);
    fs.unlinkSync(layout.ownerFile);
    onBrokenRecord?.(copy);
    return undefined;
  }
}

/** Two that try at the same moment can hinder each other: a holder is one that is there at every try. */
async function takeLock(layout: StoreLayout, nativeBinding: string | undefined): Promise<OwnerLock | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const lock = OwnerLock.tryAcquire(layout.ownerLockFile, nativeBinding);
    if (lock !== undefined || attempt >= LOCK_TRIES_MAX) return lock;
    await new Promise((resolve) => setTimeout(resolve, randomInt(1, LOCK_RETRY_MS_MAX)));
  }
}

/**
 * The lock belongs to a file, so a new file has a new lock. Taken only from an owner among writers of
 * an older epoch than the lease grants: a gateway of its own and a repair have no lease that could end.
 */
async function takeLockFrom(layout: StoreLayout, { takesOverBelow, nativeBinding }: OwnerOptions): Promise<OwnerLock | undefined> {
  const owner = takesOverBelow === undefined ? undefined : readIfWhole(layout.ownerFile);
  if (owner === undefined || owner.transport !== 'split' || owner.epoch >= (takesOverBelow ?? 0)) return undefined;
  if (owner.host === hostname() && owner.pid === process.pid) return undefined;
  fs.rmSync(layout.ownerLockFile, { force: true });
  return takeLock(layout, nativeBinding);
}

/** Who holds the lock: an owner that took it a moment ago has not written its name yet, and the last one's still stands there. */
async function holderOf(layout: StoreLayout): Promise<OwnerRecord | undefined> {
  for (let look = 1; look <= HOLDER_LOOKS_MAX; look += 1) {
    const owner = readIfWhole(layout.ownerFile);
    if (owner !== undefined && (owner.host !== hostname() || isProcessAlive(owner.pid, owner.startTicks))) return owner;
    await new Promise((resolve) => setTimeout(resolve, HOLDER_LOOK_MS));
  }
  return undefined;
}

function readIfWhole(file: string): OwnerRecord | undefined {
  try {
    return readOwnerSync(file);
  } catch {
    return undefined;
  }
}

function heldBy(layout: StoreLayout, owner: OwnerRecord | undefined): SessionError {
  const who = owner === undefined ? 'another process' : `process ${owner.pid} on ${owner.host} (${owner.instance})`;
  return new SessionError('SESSION_LOCKED', `the store ${layout.dir} is in use by ${who}`, {
    facts: { agentId: layout.agentId, path: layout.dir, pid: owner?.pid ?? null, host: owner?.host ?? null, epoch: owner?.epoch ?? null },
    hint: 'stop that process, or send the request to it',
  });
}

/** The owner's record; undefined when there is none. @throws DAMAGED when it cannot be read as one. */
export function readOwnerSync(file: string): OwnerRecord | undefined {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const value = JSON.parse(text) as Partial<OwnerRecord>;
    if (Number.isSafeInteger(value.epoch) && (value.epoch as number) > 0) return value as OwnerRecord;
  } catch {
    // reported below, together with a record that parses but holds no epoch
  }
  throw new SessionError('DAMAGED', `${file} is not an owner record`, {
    facts: { path: file },
    hint: 'stop every process of this store, then remove the file: the next owner takes its epoch from the journal',
  });
}

/** True while some process holds the store's lock; takes and frees it to find out. */
export function isStoreHeld(layout: StoreLayout, nativeBinding?: string): boolean {
  if (!fs.existsSync(layout.ownerLockFile)) return false;
  const lock = OwnerLock.tryAcquire(layout.ownerLockFile, nativeBinding);
  lock?.release();
  return lock === undefined;
}

/**
 * An fcntl lock, taken by way of SQLite (Node has no call for it): an exclusive transaction on an
 * empty database file that never gets a page. SQLite also keeps two holders in one process apart.
 */
class OwnerLock {
  readonly #db: Database.Database;

  private constructor(db: Database.Database) {
    this.#db = db;
  }

  static tryAcquire(file: string, nativeBinding?: string): OwnerLock | undefined {
    if (!fs.existsSync(file)) fs.closeSync(fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW, FILE_MODE));
    const db = new Database(file, { timeout: 0, ...(nativeBinding === undefined ? {} : { nativeBinding }) });
    try {
      db.pragma('journal_mode = MEMORY');
      db.exec('BEGIN EXCLUSIVE');
      return new OwnerLock(db);
    } catch (error) {
      db.close();
      if (errorCodeOf(error)?.startsWith('SQLITE_BUSY') === true) return undefined;
      throw error;
    }
  }

  release(): void {
    this.#db.close();
  }
}

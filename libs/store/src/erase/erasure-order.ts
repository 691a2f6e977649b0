/**
 * What an erasure keeps on disk about itself.
 *
 * `.store/erasure.json` is the order: written, synced, before anything is touched, removed when all is
 * done. While it is there the store is not served: whoever opens it carries the erasure out first, so a
 * process that dies anywhere in between costs time only. It names the subject, and is the one file that
 * still does until its end.
 *
 * `.store/erasures.jsonl` has one receipt a line, which names nobody: a salted hash tells somebody who
 * knows the name that this is the one.
 */
import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import * as path from 'node:path';
import { SessionError, exactly, isJsonObject, receiptSubject, type EraseSubject } from '@sessions/domain';
import { replaceFile } from '../files/atomic-write';
import { hasErrorCode, type FileSystem } from '../files/file-system';
import type { StoreLayout } from '../files/layout';

const FILE_MODE = 0o600;
const NEWLINE = 0x0a;
/** Receipts that are looked through for an earlier one, newest first. */
export const RECEIPTS_READ_MAX = 10_000;

/** What belongs to the subject, as far as it is known; grows when an erasure is begun again. */
export interface EraseSeeds {
  readonly keys: readonly string[];
  readonly sessionIds: readonly string[];
  /** Names relative to the store's directory. */
  readonly files: readonly string[];
  /** Archives of others whose bytes change: their hashes in the manifest follow. */
  readonly archives: readonly string[];
  /** Transcripts of others whose bytes change: the index forgets their words, and reads them again. */
  readonly transcripts: readonly string[];
}

export const NO_SEEDS: EraseSeeds = { keys: [], sessionIds: [], files: [], archives: [], transcripts: [] };

export interface ErasureOrder {
  readonly id: string;
  readonly atMs: number;
  readonly subject: EraseSubject;
  readonly seeds: EraseSeeds;
}

export interface PlaceCount {
  readonly place: string;
  /** Files that leave, or are changed. */
  readonly files: number;
  readonly bytes: number;
  /** Lines, rows or overwritten names inside of files that stay. */
  readonly records: number;
}

export interface EraseReceipt {
  readonly id: string;
  /** When the last byte had been looked at. */
  readonly atMs: number;
  /** `sha256:<salt>:<hash>` of what was asked for. */
  readonly subject: string;
  /** Of a person with several accounts: the same of each account of which one spelling alone was meant. */
  readonly exact?: readonly string[];
  readonly sessions: number;
  readonly places: readonly PlaceCount[];
  readonly scannedFiles: number;
  readonly scannedBytes: number;
  /** How many byte strings were looked for. */
  readonly needles: number;
}

export function newOrder(subject: EraseSubject, seeds: EraseSeeds, atMs: number): ErasureOrder {
  return { id: randomUUID(), atMs, subject, seeds };
}

export const orderFile = (layout: StoreLayout): string => path.join(layout.ownDir, 'erasure.json');
export const receiptsFile = (layout: StoreLayout): string => path.join(layout.ownDir, 'erasures.jsonl');

/**
 * @returns undefined when none is open.
 * @throws STORE_UNREADABLE where the file is none: it was written whole, so an erasure may have begun that only its subject's name can end.
 */
export async function readOrder(fs: FileSystem, layout: StoreLayout): Promise<ErasureOrder | undefined> {
  const bytes = await readWhole(fs, orderFile(layout));
  if (bytes === undefined) return undefined;
  const order = parseOrder(bytes.toString('utf8'));
  if (order !== undefined) return order;
  throw new SessionError('STORE_UNREADABLE', `${orderFile(layout)} is not an erasure that could be carried out; the store is not served`, {
    facts: { agentId: layout.agentId, path: orderFile(layout) },
    hint: `move the file away, and erase anew whom it was about: openclaw sessions erase <key|peer> --agent ${layout.agentId}`,
  });
}

function parseOrder(text: string): ErasureOrder | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || typeof value['id'] !== 'string') return undefined;
  const { subject, seeds } = value;
  const isSubject = isJsonObject(subject) && (subject['kind'] === 'person' ? Array.isArray(subject['peers']) : typeof subject['key'] === 'string');
  const isSeeds = isJsonObject(seeds) && Object.keys(NO_SEEDS).every((name) => Array.isArray(seeds[name]));
  return isSubject && isSeeds ? (value as unknown as ErasureOrder) : undefined;
}

export async function writeOrder(fs: FileSystem, layout: StoreLayout, order: ErasureOrder): Promise<void> {
  await replaceFile(fs, orderFile(layout), Buffer.from(JSON.stringify(order), 'utf8'), `${process.pid}.${randomUUID()}`);
}

export async function removeOrder(fs: FileSystem, layout: StoreLayout): Promise<void> {
  try {
    await fs.unlink(orderFile(layout));
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
  }
  await fs.syncDirectory(layout.ownDir);
}

export async function appendReceipt(fs: FileSystem, layout: StoreLayout, receipt: EraseReceipt): Promise<void> {
  const fd = await fs.open(receiptsFile(layout), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE);
  try {
    const size = await fs.size(fd);
    const last = Buffer.alloc(1);
    const isWhole = size === 0 || ((await fs.read(fd, last, 0, 1, size - 1)) === 1 && last[0] === NEWLINE);
    await fs.writeAll(fd, [Buffer.from(`${isWhole ? '' : '\n'}${JSON.stringify(receipt)}\n`, 'utf8')], size);
    await fs.fsync(fd);
  } finally {
    await fs.close(fd);
  }
}

/** The newest receipt of an erasure of this subject. */
export async function receiptOf(fs: FileSystem, layout: StoreLayout, subject: EraseSubject): Promise<EraseReceipt | undefined> {
  return (await receiptsIn(fs, layout)).find((receipt) => isHashOf(receipt.subject, subject));
}

/** The subject by those spellings that were erased alone before: the same words mean them alone again, so nobody else goes because they are repeated. */
export async function exactAsBefore(fs: FileSystem, layout: StoreLayout, subject: EraseSubject): Promise<EraseSubject> {
  const hashes = (await receiptsIn(fs, layout)).flatMap((receipt) => [receipt.subject, ...(receipt.exact ?? [])]);
  const asBefore = <Part extends EraseSubject>(part: Part): EraseSubject => (hashes.some((hash) => isHashOf(hash, exactly(part))) ? exactly(part) : part);
  if (subject.kind === 'session') return asBefore(subject);
  return { kind: 'person', peers: subject.peers.flatMap((peer) => (asBefore({ kind: 'person', peers: [peer] }) as typeof subject).peers) };
}

/** Hashes of single accounts, for `EraseReceipt.exact`. */
export function exactHashes(subject: EraseSubject): readonly string[] {
  if (subject.kind === 'session' || subject.peers.length < 2) return [];
  return subject.peers.filter(({ exact }) => exact === true).map((peer) => subjectHash({ kind: 'person', peers: [peer] }));
}

/** Newest first. */
async function receiptsIn(fs: FileSystem, layout: StoreLayout): Promise<EraseReceipt[]> {
  const bytes = await readWhole(fs, receiptsFile(layout));
  const lines = (bytes?.toString('utf8') ?? '').split('\n').reverse().slice(0, RECEIPTS_READ_MAX);
  return lines.map((line) => parseReceipt(line)).filter((receipt) => receipt !== undefined);
}

/** Neither can be told from the other without the name. */
export function subjectHash(subject: EraseSubject, salt = randomBytes(16).toString('hex')): string {
  return `sha256:${salt}:${createHash('sha256').update(`${salt}\n${JSON.stringify(receiptSubject(subject))}`).digest('hex')}`;
}

function isHashOf(hash: string, subject: EraseSubject): boolean {
  const salt = /^sha256:([0-9a-f]+):/.exec(hash)?.[1];
  if (salt === undefined) return false;
  const [a, b] = [Buffer.from(hash), Buffer.from(subjectHash(subject, salt))];
  return a.length === b.length && timingSafeEqual(a, b);
}

function parseReceipt(line: string): EraseReceipt | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) && typeof value['id'] === 'string' && typeof value['subject'] === 'string' ? (value as unknown as EraseReceipt) : undefined;
  } catch {
    return undefined;
  }
}

async function readWhole(fs: FileSystem, file: string): Promise<Buffer | undefined> {
  let fd: number;
  try {
    fd = await fs.open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(await fs.size(fd));
    let at = 0;
    while (at < bytes.length) {
      const count = await fs.read(fd, bytes, at, bytes.length - at, at);
      if (count === 0) break;
      at += count;
    }
    return bytes.subarray(0, at);
  } finally {
    await fs.close(fd);
  }
}

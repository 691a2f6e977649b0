/**
 * Brings the session index up to date when a store is opened, and again when `sessions.json` has
 * been changed by somebody else. The table of what is found and what is done:
 *
 *     index     sessions.json          →
 *     current   as we left it            nothing
 *     current   as its last checkpoint   nothing; the owner died before it could note its own file
 *               announced it
 *     current   changed                  merged
 *     current   missing, empty, broken   the index answers; the file is written again
 *     none      readable                 imported
 *     none      missing, empty           from transcripts if there are any, else a new store
 *     none      broken                   from transcripts, partial: nothing may be written
 *
 * "none" is also an index of another format, one that the journal does not connect to, one that is
 * partial, or a file that is no database: it is set aside and made again. A broken `sessions.json` is copied to the
 * quarantine once and never overwritten before that.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type Database from 'better-sqlite3';
import { SessionError } from '@sessions/domain';
import { errorCodeOf } from '../files/error-code';
import { hasErrorCode, sameIdentity, type FileIdentity } from '../files/file-system';
import { quarantineCopy } from '../files/quarantine';
import { importSessionsFile } from './import-file';
import { neighbourStoresSync } from '../files/neighbour-stores';
import { hasTranscripts, importTranscripts } from './import-transcripts';
import { IndexWriter } from './index-writer';
import { mergeSessionsFile } from './merge-file';
import { isIndexDamage, openIndexForBuilding, openIndexForWriting } from './open-database';
import { appendRemovedEntries } from './removed-entries';
import { loadResults } from './results-file';
import { INDEX_FORMAT, META } from './schema';
import { loadUsage } from './usage-file';
import type { MergeReply, OpenIndexReply, OpenIndexRequest, StoreNotice } from './worker-protocol';

export interface OpenedIndex {
  readonly writer: IndexWriter;
  readonly reply: OpenIndexReply;
}

interface UsableIndex {
  readonly writer: IndexWriter;
  readonly closedCleanly: boolean;
}

export function openIndex(request: OpenIndexRequest): OpenedIndex {
  const notices: StoreNotice[] = [];
  const usable = openUsable(request, notices);
  const opened = usable === undefined ? rebuild(request, notices) : bringUpToDate(usable, request, notices);
  return opened;
}

/** The index as it is, when it can be trusted; otherwise it is set aside. */
function openUsable(request: OpenIndexRequest, notices: StoreNotice[]): UsableIndex | undefined {
  if (!fs.existsSync(request.indexFile)) return undefined;
  try {
    const db = openIndexForWriting(request.indexFile, request.nativeBinding);
    const unusable = whyUnusable(db);
    // Its statements name tables that another format may not have.
    const writer = unusable === undefined ? new IndexWriter(db, request.agentId) : undefined;
    const why = writer === undefined ? unusable : whyStale(writer, request);
    if (writer !== undefined && why === undefined) {
      const closedCleanly = writer.meta(META.closedSeq) === String(writer.appliedSeq);
      // Only a damaged journal ends before the index: what the index has is then the last that knows of it.
      if (request.journalLastSeq > 0 && writer.appliedSeq > request.journalLastSeq) {
        const message = `mutations ${request.journalLastSeq + 1} to ${writer.appliedSeq} are missing from the journal; the session index has them`;
        notices.push({ kind: 'damage', message, path: request.ownDir, count: writer.appliedSeq - request.journalLastSeq });
      }
      writer.claim(request.epoch);
      if (writer.meta(META.usageDue) === '1') {
        writer.transaction(() => {
          notices.push(...loadUsage(db, request.ownDir));
          writer.setMeta(META.usageDue, '');
        });
      }
      return { writer, closedCleanly };
    }
    db.close();
    notices.push({ kind: 'rebuilt', message: `the session index is rebuilt: ${why}`, path: request.indexFile });
    removeIndexFiles(request.indexFile);
  } catch (error) {
    if (isHeldByOther(error)) {
      // A former owner that is stopped in the middle of a transaction: its index stays with it.
      fs.renameSync(request.indexFile, `${request.indexFile}.held`);
      removeIndexFiles(request.indexFile);
      notices.push({ kind: 'rebuilt', message: 'the session index is held by a former owner; a new one is made', path: request.indexFile });
      return undefined;
    }
    if (!isIndexDamage(error)) throw error;
    const aside = `${request.indexFile}.corrupt`;
    fs.renameSync(request.indexFile, aside);
    removeIndexFiles(request.indexFile);
    notices.push({ kind: 'damage', message: 'the session index was damaged; it is set aside and rebuilt', path: aside });
  }
  return undefined;
}

function isHeldByOther(error: unknown): boolean {
  return errorCodeOf(error)?.startsWith('SQLITE_BUSY') ?? false;
}

function whyUnusable(db: Database.Database): string | undefined {
  const hasTables = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'meta'").get() !== undefined;
  if (!hasTables) return 'it has no tables';
  const format = db.prepare('SELECT value FROM meta WHERE name = ?').pluck().get(META.format) as string | undefined;
  return format === String(INDEX_FORMAT) ? undefined : `it has another format than ${INDEX_FORMAT}`;
}

function whyStale(writer: IndexWriter, request: OpenIndexRequest): string | undefined {
  const { appliedSeq } = writer;
  // Nobody may write what it has over the file that could not be read; that one may have been mended since.
  if (writer.meta(META.partial) === '1') return 'it was made from transcripts beside a sessions file that cannot be read';
  if (appliedSeq < request.journalBaseSeq) return `it ends at ${appliedSeq}, before the journal begins`;
  return undefined;
}

/** With what SQLite keeps beside it: a journal of the old file would be rolled back into the new one. */
function removeIndexFiles(indexFile: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) fs.rmSync(`${indexFile}${suffix}`, { force: true });
}

function bringUpToDate({ writer, closedCleanly }: UsableIndex, request: OpenIndexRequest, notices: StoreNotice[]): OpenedIndex {
  const found = identifySync(request.sessionsFile);
  if (found !== 'not-a-file' && found !== undefined && sameIdentity(found, writer.identity())) {
    return { writer, reply: replyOf(writer, { origin: 'current', closedCleanly, notices, rewriteDue: false, writable: true }) };
  }
  const merged = mergeEdits(writer, request, request.nowMs);
  const origin = found === undefined ? 'current' : 'merged-edits';
  return { writer, reply: replyOf(writer, { origin, closedCleanly, notices: [...notices, ...merged.notices], rewriteDue: merged.rewriteDue, writable: true }) };
}

/** Merges a changed `sessions.json`; one that cannot be read is set aside and written again from the index. */
export function mergeEdits(writer: IndexWriter, request: OpenIndexRequest, nowMs: number): MergeReply {
  const none = { changedKeysCount: 0, addedKeysCount: 0, removedKeysCount: 0 };
  const found = identifySync(request.sessionsFile);
  const unchangedSoFar = found !== 'not-a-file' && sameIdentity(found, writer.identity());
  if (unchangedSoFar && found !== undefined) return { ...none, identity: found, notices: [], rewriteDue: false };
  if (found !== undefined && found !== 'not-a-file' && writer.adopt(found)) return { ...none, identity: found, notices: [], rewriteDue: false };
  if (found === undefined) {
    const known = writer.identity() !== undefined;
    const notices: StoreNotice[] = known
      ? [{ kind: 'damage', message: 'the sessions file is gone; it is written again from the index', path: request.sessionsFile }]
      : [];
    return { ...none, identity: undefined, notices, rewriteDue: known };
  }
  if (found === 'not-a-file' || found.size === 0) {
    const what = found === 'not-a-file' ? 'is not a regular file' : 'has 0 bytes';
    return { ...none, identity: found === 'not-a-file' ? undefined : found, notices: [damageNotice(request, what)], rewriteDue: true };
  }
  try {
    const merged = mergeSessionsFile(writer, request.sessionsFile, quarantineDir(request), nowMs);
    appendRemovedEntries(request.ownDir, merged.removedEntries, nowMs);
    writer.transaction(() => writer.setIdentity(found));
    const notices: StoreNotice[] = [...merged.notices];
    const count = merged.changed + merged.added + merged.removed;
    if (count > 0) notices.push({ kind: 'external-edit', message: 'the sessions file was edited from outside; the edit is merged', path: request.sessionsFile, count });
    return {
      identity: found,
      changedKeysCount: merged.changed,
      addedKeysCount: merged.added,
      removedKeysCount: merged.removed,
      notices,
      rewriteDue: merged.rewriteDue,
    };
  } catch (error) {
    if (!(error instanceof SessionError) || error.reason !== 'STORE_UNREADABLE') throw error;
    const copy = quarantineCopy(request.sessionsFile, quarantineDir(request), nowMs);
    return { ...none, identity: found, notices: [damageNotice(request, `cannot be read (${error.message})`, copy)], rewriteDue: true };
  }
}

/** Made under another name and renamed when it is whole: an interrupted rebuild leaves nothing that could be read. */
function rebuild(request: OpenIndexRequest, notices: StoreNotice[]): OpenedIndex {
  const building = `${request.indexFile}.building`;
  removeIndexFiles(building);
  const db = openIndexForBuilding(building, request.nativeBinding);
  let base: Pick<OpenIndexReply, 'origin' | 'rewriteDue' | 'writable'>;
  try {
    IndexWriter.createTables(db);
    const builder = new IndexWriter(db, request.agentId);
    base = importSources(builder, request, notices);
    builder.transaction(() => {
      builder.setMeta(META.format, INDEX_FORMAT);
      if (!base.writable) builder.setMeta(META.partial, '1');
      builder.setMeta(META.appliedSeq, request.journalBaseSeq);
      builder.setMeta(META.checkpointSeq, request.journalBaseSeq);
      builder.setMeta(META.textsMadeId, Number.MAX_SAFE_INTEGER);
      loadResults(db, request.ownDir, request.nowMs);
      notices.push(...loadUsage(db, request.ownDir));
    });
  } finally {
    db.close();
  }
  syncPath(building);
  removeIndexFiles(request.indexFile);
  fs.renameSync(building, request.indexFile);
  syncPath(request.ownDir);
  const writer = new IndexWriter(openIndexForWriting(request.indexFile, request.nativeBinding), request.agentId);
  writer.claim(request.epoch);
  return { writer, reply: replyOf(writer, { ...base, closedCleanly: false, notices }) };
}

function syncPath(file: string): void {
  const fd = fs.openSync(file, fs.constants.O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function importSources(
  writer: IndexWriter,
  request: OpenIndexRequest,
  notices: StoreNotice[],
): Pick<OpenIndexReply, 'origin' | 'rewriteDue' | 'writable'> {
  const found = identifySync(request.sessionsFile);
  if (found !== undefined && found !== 'not-a-file' && found.size > 0) {
    try {
      notices.push(...importSessionsFile(writer, request.sessionsFile).notices);
      writer.setIdentity(found);
      return { origin: 'imported-file', rewriteDue: false, writable: true };
    } catch (error) {
      if (!(error instanceof SessionError) || error.reason !== 'STORE_UNREADABLE') throw error;
      const copy = quarantineCopy(request.sessionsFile, quarantineDir(request), request.nowMs);
      notices.push(damageNotice(request, `cannot be read (${error.message})`, copy));
      fromTranscripts(writer, request, notices);
      return { origin: 'imported-transcripts', rewriteDue: false, writable: false };
    }
  }
  if (found === 'not-a-file') {
    notices.push(damageNotice(request, 'is not a regular file'));
    fromTranscripts(writer, request, notices);
    return { origin: 'imported-transcripts', rewriteDue: false, writable: false };
  }
  if (found === undefined && request.journalLastSeq > 0 && request.journalBaseSeq === 0) {
    // The journal goes back to the first mutation: no checkpoint has ever been, and nothing is missing.
    return { origin: 'new', rewriteDue: true, writable: true };
  }
  // Missing or empty beside conversations: something was lost, and they are what is left of it.
  if (request.journalLastSeq > 0 || (hasTranscripts(request.dir) && neighbourStoresSync(request).length === 0)) {
    fromTranscripts(writer, request, notices);
    notices.push(damageNotice(request, found === undefined ? 'is missing' : 'has 0 bytes'));
    writer.setIdentity(found);
    return { origin: 'imported-transcripts', rewriteDue: true, writable: true };
  }
  writer.setIdentity(found);
  return { origin: 'new', rewriteDue: false, writable: true };
}

function fromTranscripts(writer: IndexWriter, request: OpenIndexRequest, notices: StoreNotice[]): void {
  // Beside another store nobody can say whose they are.
  if (neighbourStoresSync(request).length > 0) return;
  const count = importTranscripts(writer, request.dir, request.agentId);
  if (count === 0) return;
  notices.push({ kind: 'damage', message: 'transcripts that name no session key stand under their session ids now; no limit takes them', path: request.dir, count });
}

function damageNotice(request: OpenIndexRequest, what: string, copy?: string): StoreNotice {
  const aside = copy === undefined ? '' : `; its bytes are kept in ${path.basename(copy)}`;
  return { kind: 'damage', message: `the sessions file ${what}${aside}`, path: request.sessionsFile };
}

function quarantineDir(request: OpenIndexRequest): string {
  return path.join(request.ownDir, 'quarantine');
}

function replyOf(writer: IndexWriter, rest: Omit<OpenIndexReply, 'appliedSeq' | 'identity'>): OpenIndexReply {
  return { ...rest, appliedSeq: writer.appliedSeq, identity: writer.identity() };
}

/** Identity of a regular file; `not-a-file` for anything else under that name, undefined for nothing. */
export function identifySync(file: string): FileIdentity | 'not-a-file' | undefined {
  try {
    const stats = fs.lstatSync(file, { bigint: true });
    if (!stats.isFile()) return 'not-a-file';
    return { size: Number(stats.size), mtimeNs: stats.mtimeNs, inode: stats.ino };
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}


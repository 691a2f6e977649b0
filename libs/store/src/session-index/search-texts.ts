/**
 * Search in what was said: candidates from the index, newest first, each looked up in its transcript,
 * which gives the snippet and is the proof. A candidate that its file does not bear out any more is
 * left out, and the file read again. An answer looks at so many candidates and reads so many bytes at
 * most; where that ends it, a place says where to go on.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type Database from 'better-sqlite3';
import { SessionRow } from '@sessions/contracts';
import { isInChannel, matchExpression, parseStoreFile, snippetOf, wordsApart } from '@sessions/domain';
import { hasErrorCode } from '../files/file-system';
import { readLineFacts, type LineFacts } from '../transcript/line-facts';
import { searchedText } from './message-texts';
import { VISIBILITY } from './schema';
import { TEXTS_PER_MS } from './text-rows';
import type { IndexedTextHit, SearchTextsReply, SearchTextsRequest, TextHit } from './worker-protocol';

const CANDIDATES_PER_SLICE = 50;
const CANDIDATES_MAX = 2000;
const READ_BYTES_MAX = 32 * 1024 * 1024;

interface Candidate {
  readonly id: number;
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  readonly message_seq: number;
  readonly line: number;
}

interface OwnerRow {
  readonly key: string;
  readonly session_id: string | null;
  readonly visibility: number;
  readonly row: Uint8Array | null;
}

interface Owner extends OwnerRow {
  /** The file is one that the session went on from, not its present one; `session_id` is that of the file. */
  readonly isEarlier: boolean;
}

export interface SearchTextsParts {
  readonly db: Database.Database;
  readonly dir: string;
  /** A file is not what the index knows of it. */
  readonly onStale: (file: string) => void;
  /** Resolves after other messages had their turn. */
  readonly breathe: () => Promise<void>;
}

/** @returns hits newest first; `incomplete` is for the caller to know. */
export async function searchTexts({ db, dir, onStale, breathe }: SearchTextsParts, request: SearchTextsRequest): Promise<Omit<SearchTextsReply, 'incomplete'>> {
  const slice = db.prepare(
    `SELECT l.id, f.file, l.offset, l.bytes, l.message_seq, l.line
     FROM text t JOIN text_line l ON l.id = t.rowid JOIN text_file f ON f.id = l.file_id
     WHERE text MATCH ? AND t.rowid < ? AND t.rowid >= ? ORDER BY t.rowid DESC LIMIT ${CANDIDATES_PER_SLICE}`,
  );
  const ownerOf = ownersOf(db, request.channel);
  const isRepeated = repeats(db, dir, ownerOf);
  const match = matchExpression(request.terms);
  const from = request.sinceMs === undefined ? 0 : Math.ceil(request.sinceMs) * TEXTS_PER_MS;
  let before = Math.min(request.beforeId ?? Number.MAX_SAFE_INTEGER, request.untilMs === undefined ? Number.MAX_SAFE_INTEGER : Math.ceil(request.untilMs) * TEXTS_PER_MS);
  const hits: IndexedTextHit[] = [];
  let looked = 0;
  let readBytes = 0;
  const stale = new Set<string>();
  const end = (nextBeforeId: number | undefined): Omit<SearchTextsReply, 'incomplete'> => {
    for (const file of stale) onStale(file);
    return { hits, ...(nextBeforeId === undefined ? {} : { nextBeforeId }) };
  };
  for (;;) {
    const candidates = slice.all(match, before, from) as Candidate[];
    for (const candidate of candidates) {
      if (hits.length >= request.limit || looked >= CANDIDATES_MAX || readBytes >= READ_BYTES_MAX) return end(before);
      before = candidate.id;
      looked += 1;
      const owner = ownerOf(candidate.file);
      if (owner === undefined) continue;
      readBytes += candidate.bytes;
      const hit = readHit(dir, candidate, owner, request);
      if (hit === 'stale') stale.add(candidate.file);
      else if (hit !== 'apart' && (!owner.isEarlier || !isRepeated(candidate, hit, owner))) hits.push({ ...hit, id: candidate.id });
    }
    if (candidates.length < CANDIDATES_PER_SLICE) break;
    await breathe();
  }
  return end(undefined);
}

/** The entry whose transcript a file is or was before a compaction, in the channel asked for; none for one that lists hide. */
function ownersOf(db: Database.Database, channel: string | undefined): (file: string) => Owner | undefined {
  const find = db.prepare('SELECT key, session_id, visibility, row FROM session WHERE file = ? AND visibility <> ? ORDER BY sort_at DESC, id LIMIT 1');
  const findById = db.prepare('SELECT key, session_id, visibility, row FROM session WHERE id = ?');
  const known = new Map<string, Owner | undefined>();
  let rowIds: ReadonlyMap<string, number> | undefined;
  const earlierOwner = (file: string): Owner | undefined => {
    rowIds ??= rowsByOtherId(db);
    for (const id of parseStoreFile(file)?.sessionIds ?? []) {
      const rowId = rowIds.get(id);
      if (rowId !== undefined) return { ...(findById.get(rowId) as OwnerRow), session_id: id, isEarlier: true };
    }
    return undefined;
  };
  return (file) => {
    if (known.has(file)) return known.get(file);
    const present = find.get(file, VISIBILITY.unlisted) as OwnerRow | undefined;
    const owner = present === undefined ? earlierOwner(file) : { ...present, isEarlier: false };
    const isAsked = owner !== undefined && (channel === undefined || (owner.row !== null && isInChannel(SessionRow.decode(owner.row), channel)));
    known.set(file, isAsked ? owner : undefined);
    return known.get(file);
  };
}

/** Rows by the ids of their families beside their own; of several the newest. Looked for once a search, and only when a file has no row of its own. */
function rowsByOtherId(db: Database.Database): ReadonlyMap<string, number> {
  const rows = new Map<string, number>();
  const all = db.prepare('SELECT id, other_ids AS otherIds FROM session WHERE other_ids IS NOT NULL AND visibility <> ? ORDER BY sort_at, id DESC').iterate(VISIBILITY.unlisted);
  for (const { id, otherIds } of all as IterableIterator<{ readonly id: number; readonly otherIds: string }>) for (const other of otherIds.split('\n')) rows.set(other, id);
  return rows;
}

/**
 * What a compaction kept stands in both transcripts, at one time and under one id: of such lines the present
 * transcript's is shown, else the last of them, so that a page never depends on the one before it.
 */
function repeats(db: Database.Database, dir: string, ownerOf: (file: string) => Owner | undefined): (candidate: Candidate, hit: TextHit, owner: Owner) => boolean {
  const ofMoment = db.prepare('SELECT l.id, f.file, l.offset, l.bytes, l.message_seq, l.line FROM text_line l JOIN text_file f ON f.id = l.file_id WHERE l.id >= ? AND l.id < ?');
  return ({ id, file }, { messageId, atMs }, { key }) =>
    (ofMoment.all(atMs * TEXTS_PER_MS, (atMs + 1) * TEXTS_PER_MS) as Candidate[]).some((other) => {
      if (other.file === file) return false;
      const owner = ownerOf(other.file);
      if (owner?.key !== key || (owner.isEarlier && other.id < id)) return false;
      return readLine(path.join(dir, other.file), other)?.id === messageId;
    });
}

/** 'apart': the words are there and do not stand as the query wants them; 'stale': the line is not what the index read. */
function readHit(dir: string, candidate: Candidate, owner: Owner, { terms }: SearchTextsRequest): TextHit | 'apart' | 'stale' {
  const facts = readLine(path.join(dir, candidate.file), candidate);
  if (facts === undefined) return 'stale';
  const text = searchedText(facts);
  const found = snippetOf(text, terms);
  if (found === undefined) return snippetOf(text, wordsApart(terms)) === undefined ? 'stale' : 'apart';
  return {
    key: owner.key,
    sessionId: owner.session_id ?? '',
    messageId: facts.id ?? `L${String(candidate.line)}`,
    messageSeq: candidate.message_seq,
    role: facts.role ?? '',
    atMs: Math.floor(candidate.id / TEXTS_PER_MS),
    ...found,
  };
}

/** The line that stands at a place; undefined: there is none, or it is no message. */
function readLine(file: string, { offset, bytes }: Candidate): LineFacts | undefined {
  let fd: number;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ELOOP', 'EACCES', 'EISDIR', 'ENXIO', 'ENOTDIR')) return undefined;
    throw error;
  }
  try {
    const line = Buffer.allocUnsafe(bytes);
    const count = fs.readSync(fd, line, 0, bytes, offset);
    const facts = count < bytes ? undefined : readLineFacts(line.subarray(0, bytes - 1));
    return facts?.role === undefined ? undefined : facts;
  } finally {
    fs.closeSync(fd);
  }
}

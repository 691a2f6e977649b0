/**
 * The one writer of the session index. Lives in the worker thread; every call is synchronous SQLite
 * inside one transaction, so the index always stands at exactly one `applied_seq`.
 *
 * What can be lost: the whole file. It is rebuilt from `sessions.json`, the journal and the
 * transcripts.
 */
import type Database from 'better-sqlite3';
import { SessionError } from '@sessions/domain';
import type { FileIdentity } from '../files/file-system';
import type { TranscriptTail } from '../types';
import { entryColumns, type EntryColumns, type ImportColumns } from './entry-columns';
import { DROP_INDEXES, INDEXES, KEY_INDEX, META, TABLES, VISIBILITY } from './schema';
import { dropTexts, prepareTexts, type TextStatements } from './text-rows';
import { UsageTable } from './usage-table';
import type { IndexChange } from './worker-protocol';

interface SessionRowRef {
  readonly id: number;
  readonly visibility: number;
  readonly file: string | null;
}

interface TranscriptRow {
  readonly bytes: number;
  readonly messages: number;
  readonly exchanges: number;
  readonly leaf_id: string | null;
  readonly kind: TranscriptTail['kind'];
}

/** An entry, and whether its row has been made. */
interface RowToMake {
  readonly id: number;
  readonly key: string;
  readonly json: Buffer;
  readonly made: 0 | 1;
}

/** Rows that are made first: two pages of a list. */
const NEWEST_ROWS = 200;

export class IndexWriter {
  readonly db: Database.Database;
  readonly #agentId: string;
  readonly #statements: ReturnType<typeof prepare>;
  /** Rows per visibility; written to meta with each transaction, so a list never counts. */
  readonly #counts = new Map<number, number>();
  readonly #touchedCounts = new Set<number>();
  readonly #usage: UsageTable;
  readonly #texts: TextStatements;
  /** Told of each transcript whose facts have changed. */
  onTranscript: (file: string) => void = () => undefined;
  #generation: number;
  #epoch: number | undefined;

  /** @param db a connection whose tables exist (`IndexWriter.createTables`). @param agentId agent of the store. */
  constructor(db: Database.Database, agentId: string) {
    this.db = db;
    this.#agentId = agentId;
    this.#statements = prepare(db);
    this.#usage = new UsageTable(db);
    this.#texts = prepareTexts(db);
    this.#generation = Number(this.meta(META.baseGeneration) ?? 1);
    for (const visibility of Object.values(VISIBILITY)) {
      this.#counts.set(visibility, Number(this.meta(`${META.countPrefix}${visibility}`) ?? 0));
    }
  }

  static createTables(db: Database.Database): void {
    db.exec(TABLES);
    db.exec(INDEXES);
  }

  meta(name: string): string | undefined {
    return (this.#statements.getMeta.get(name) as { value: string } | undefined)?.value;
  }

  setMeta(name: string, value: string | number | bigint): void {
    this.#statements.setMeta.run(name, String(value));
  }

  get appliedSeq(): number {
    return Number(this.meta(META.appliedSeq) ?? 0);
  }

  /** From now on only this owner's transactions go through. */
  claim(epoch: number): void {
    this.#epoch = epoch;
    this.db
      .transaction(() => {
        this.setMeta(META.epoch, epoch);
        this.setMeta(META.closedSeq, '');
      })
      .immediate();
  }

  /**
   * Runs `work` in one transaction and stores the counters with it.
   * @throws EPOCH_SUPERSEDED when another owner has claimed the index since; what SQLite throws, such as a
   * full disk. Nothing is changed then, the counters here as little as those in the file.
   */
  transaction<T>(work: () => T): T {
    const before = [...this.#counts];
    try {
      return this.db.transaction(() => {
        this.#refuseWhenSuperseded();
        const result = work();
        for (const visibility of this.#touchedCounts) {
          this.setMeta(`${META.countPrefix}${visibility}`, this.#counts.get(visibility) ?? 0);
        }
        return result;
      }).immediate();
    } catch (error) {
      for (const [visibility, count] of before) this.#counts.set(visibility, count);
      throw error;
    } finally {
      this.#touchedCounts.clear();
    }
  }

  #refuseWhenSuperseded(): void {
    if (this.#epoch === undefined || this.meta(META.epoch) === String(this.#epoch)) return;
    throw new SessionError('EPOCH_SUPERSEDED', `the session index of agent ${this.#agentId} has a newer owner`, {
      facts: { agentId: this.#agentId, epoch: this.#epoch, newerEpoch: Number(this.meta(META.epoch) ?? 0) },
    });
  }

  /** Applies acknowledged changes in order; the last text of a key in the batch is the one stored. */
  apply(changes: readonly IndexChange[], appliedSeq: number): void {
    this.transaction(() => {
      const lastPut = new Map<string, number>();
      changes.forEach((change, index) => {
        if (change.kind === 'put') lastPut.set(change.key, index);
        if (change.kind === 'transcript') this.putTranscript(change.file, change.tail);
      });
      changes.forEach((change, index) => {
        if (change.kind === 'put' && lastPut.get(change.key) === index) this.putEntry(change.key, change.text, 'mutation');
        if (change.kind === 'remove') this.removeEntry(change.key, 'mutation');
        if (change.kind === 'usage') this.#usage.put(change, change.line);
        if (change.kind === 'result') {
          this.#statements.putResult.run(change.key, change.hash, JSON.stringify(change.result), change.keepUntilMs, change.seq);
        }
      });
      this.setMeta(META.appliedSeq, appliedSeq);
    });
  }

  /** Stores one entry. @param from `file`: the text stands in `sessions.json` already and needs no ancestor. */
  putEntry(key: string, text: string, from: 'mutation' | 'file'): void {
    const existing = this.#statements.findKey.get(key) as SessionRowRef | undefined;
    const columns = this.columnsOf(key, JSON.parse(text));
    if (existing === undefined) {
      if (from === 'mutation') this.#statements.putBase.run(key, this.#generation, null);
      this.insertEntry(key, Buffer.from(text, 'utf8'), columns);
      return;
    }
    if (from === 'mutation') this.#statements.copyBase.run(key, this.#generation, existing.id);
    this.#statements.updateEntry.run(Buffer.from(text, 'utf8'), existing.id);
    this.#statements.updateSession.run(...sessionValues(columns, Buffer.byteLength(text)), existing.id);
    this.#count(existing.visibility, -1);
    this.#count(columns.visibility, 1);
  }

  /** @param value what the entry's text parses to. */
  columnsOf(key: string, value: unknown): EntryColumns {
    return entryColumns(key, this.#agentId, value, (file) => this.transcript(file)?.exchanges);
  }

  /** Adds an entry that is known to be new. */
  insertEntry(key: string, text: Buffer, columns: EntryColumns): void {
    const { lastInsertRowid } = this.#statements.insertEntry.run(text);
    this.#statements.insertSession.run(lastInsertRowid, key, ...sessionValues(columns, text.length));
    this.#count(columns.visibility, 1);
  }

  /** An import met a key that stands there already: from now on keys are looked up. */
  importDuplicate(key: string, text: string): void {
    this.db.exec(KEY_INDEX);
    this.putEntry(key, text, 'file');
  }

  /** Adds an entry of an import; its row is made later. */
  importEntry(key: string, text: Buffer, columns: ImportColumns): void {
    const { lastInsertRowid } = this.#statements.insertEntry.run(text);
    this.#statements.insertSession.run(lastInsertRowid, key, ...sessionValues({ ...columns, row: null }, text.length));
    this.#count(columns.visibility, 1);
  }

  /**
   * Makes the rows of the next imported entries: those of the newest sessions first, which the first
   * page of a list shows, then all in the order of the file.
   * @returns false when none is left.
   */
  makeRows(entriesMax: number): boolean {
    const from = this.meta(META.rowsMadeId);
    if (from === undefined || from === '') return false;
    const rows = this.#statements.rowsToMake.all(Number(from), entriesMax) as RowToMake[];
    const newest = Number(from) === 0 ? (this.#statements.newestRowsToMake.all(VISIBILITY.listed, NEWEST_ROWS) as RowToMake[]) : [];
    this.transaction(() => {
      for (const { id, key, json, made } of [...newest, ...rows]) {
        if (made === 1) continue;
        const columns = this.columnsOf(key, JSON.parse(json.toString('utf8')));
        this.#statements.setRow.run(columns.search, columns.row, id);
      }
      this.setMeta(META.rowsMadeId, rows.length < entriesMax ? '' : (rows[rows.length - 1]?.id ?? ''));
    });
    return rows.length === entriesMax;
  }

  removeEntry(key: string, from: 'mutation' | 'file'): void {
    const existing = this.#statements.findKey.get(key) as SessionRowRef | undefined;
    if (existing === undefined) return;
    if (from === 'mutation') this.#statements.copyBase.run(key, this.#generation, existing.id);
    this.#statements.deleteEntry.run(existing.id);
    this.#statements.deleteSession.run(existing.id);
    this.#count(existing.visibility, -1);
  }

  /** The exact bytes of an entry. */
  entryText(key: string): string | undefined {
    return (this.#statements.entryText.get(key) as { json: Buffer } | undefined)?.json.toString('utf8');
  }

  transcript(file: string): TranscriptTail | undefined {
    const row = this.#statements.getTranscript.get(file) as TranscriptRow | undefined;
    if (row === undefined) return undefined;
    return { kind: row.kind, leafId: row.leaf_id, messages: row.messages, exchanges: row.exchanges, bytes: row.bytes };
  }

  /** Stores a transcript's facts, or forgets them when it is gone; the row that shows its message count follows. */
  putTranscript(file: string, tail: TranscriptTail): void {
    if (tail.kind === 'none') {
      this.#statements.dropTranscript.run(file);
      dropTexts(this.#texts, file);
    } else this.#statements.putTranscript.run(file, tail.bytes, tail.messages, tail.exchanges, tail.leafId, tail.kind);
    this.onTranscript(file);
    for (const session of this.#statements.sessionsOfFile.all(file) as { id: number; key: string; json: Buffer }[]) {
      const columns = entryColumns(session.key, this.#agentId, JSON.parse(session.json.toString('utf8')), () => (tail.kind === 'none' ? undefined : tail.exchanges));
      this.#statements.updateRow.run(columns.row, session.id);
    }
  }

  identity(): FileIdentity | undefined {
    const size = this.meta(META.fileSize);
    const mtimeNs = this.meta(META.fileMtimeNs);
    const inode = this.meta(META.fileInode);
    if (size === undefined || mtimeNs === undefined || inode === undefined || size === '') return undefined;
    return { size: Number(size), mtimeNs: BigInt(mtimeNs), inode: BigInt(inode) };
  }

  /** Remembers which `sessions.json` this index knows; undefined: none. */
  setIdentity(identity: FileIdentity | undefined): void {
    this.setMeta(META.fileSize, identity === undefined ? '' : identity.size);
    this.setMeta(META.fileMtimeNs, identity === undefined ? '' : identity.mtimeNs);
    this.setMeta(META.fileInode, identity === undefined ? '' : identity.inode);
  }

  /**
   * A checkpoint is about to put this file in the place of the sessions file. Durable when it returns:
   * after a crash that file must not be taken for an edit, its entries are compared with no ancestor of theirs.
   */
  announce(identity: FileIdentity, generation: number): void {
    this.db.pragma('synchronous = FULL');
    try {
      this.transaction(() => {
        this.setMeta(META.announcedFile, textOf(identity));
        this.setMeta(META.announcedGeneration, generation);
      });
    } finally {
      this.db.pragma('synchronous = NORMAL');
    }
  }

  /** Takes the file for ours when it is the one last announced. @returns false when it is not. */
  adopt(identity: FileIdentity): boolean {
    if (this.meta(META.announcedFile) !== textOf(identity)) return false;
    this.transaction(() => {
      this.setIdentity(identity);
      this.forgetBases(Number(this.meta(META.announcedGeneration)));
    });
    return true;
  }

  /** An entry as it stands in the `sessions.json` we know, when it was changed since; text undefined: it was not there. */
  baseOf(key: string): { readonly text: string | undefined } | undefined {
    const row = this.#statements.baseOf.get(key) as { json: Buffer | null } | undefined;
    return row === undefined ? undefined : { text: row.json?.toString('utf8') };
  }

  /** A snapshot begins: later changes remember their ancestor in it. @returns the generation it ends. */
  beginBaseGeneration(): number {
    const ended = this.#generation;
    this.#generation += 1;
    this.setMeta(META.baseGeneration, this.#generation);
    return ended;
  }

  /** The snapshot that ended `generation` is the file on disk now: its ancestors are of no more use. */
  forgetBases(generation: number): void {
    this.#statements.forgetBases.run(generation);
  }

  beginBulk(): void {
    this.db.exec(DROP_INDEXES);
  }

  endBulk(): void {
    this.db.exec(INDEXES);
  }

  #count(visibility: number, by: number): void {
    this.#counts.set(visibility, (this.#counts.get(visibility) ?? 0) + by);
    this.#touchedCounts.add(visibility);
  }
}

function textOf({ size, mtimeNs, inode }: FileIdentity): string {
  return `${size} ${mtimeNs} ${inode}`;
}

function sessionValues(columns: Omit<EntryColumns, 'row'> & { readonly row: Buffer | null }, entryBytes: number): (string | number | Buffer | null)[] {
  const { facts } = columns;
  return [
    columns.visibility,
    columns.updatedAt,
    columns.sortAt,
    columns.sessionId,
    columns.file,
    columns.label,
    columns.spawnedBy,
    columns.parentKey,
    columns.status,
    columns.openWork,
    entryBytes,
    facts.flags,
    facts.activeAtMs,
    facts.otherIds,
    facts.model,
    facts.archiveAtMs,
    facts.cleanup,
    facts.removalAnnouncedAtMs,
    columns.search,
    columns.row,
  ];
}

function prepare(db: Database.Database) {
  return {
    getMeta: db.prepare('SELECT value FROM meta WHERE name = ?'),
    setMeta: db.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value'),
    findKey: db.prepare('SELECT id, visibility, file FROM session WHERE key = ?'),
    entryText: db.prepare('SELECT e.json FROM session s JOIN entry e ON e.id = s.id WHERE s.key = ?'),
    insertEntry: db.prepare('INSERT INTO entry (json) VALUES (?)'),
    updateEntry: db.prepare('UPDATE entry SET json = ? WHERE id = ?'),
    deleteEntry: db.prepare('DELETE FROM entry WHERE id = ?'),
    insertSession: db.prepare(
      `INSERT INTO session (id, key, visibility, updated_at, sort_at, session_id, file, label, spawned_by, parent_key, status, open_work,
       entry_bytes, flags, active_at, other_ids, model, archive_at, cleanup, removal_announced_at, search, row)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    updateSession: db.prepare(
      `UPDATE session SET visibility = ?, updated_at = ?, sort_at = ?, session_id = ?, file = ?, label = ?, spawned_by = ?,
       parent_key = ?, status = ?, open_work = ?, entry_bytes = ?, flags = ?, active_at = ?, other_ids = ?, model = ?, archive_at = ?,
       cleanup = ?, removal_announced_at = ?, search = ?, row = ? WHERE id = ?`,
    ),
    rowsToMake: db.prepare(
      'SELECT s.id, s.key, e.json, s.row IS NOT NULL AS made FROM session s JOIN entry e ON e.id = s.id WHERE s.id > ? ORDER BY s.id LIMIT ?',
    ),
    newestRowsToMake: db.prepare(
      'SELECT s.id, s.key, e.json, s.row IS NOT NULL AS made FROM session s JOIN entry e ON e.id = s.id WHERE s.visibility = ? ORDER BY s.sort_at DESC, s.id LIMIT ?',
    ),
    setRow: db.prepare('UPDATE session SET search = ?, row = ? WHERE id = ?'),
    updateRow: db.prepare('UPDATE session SET row = ? WHERE id = ?'),
    deleteSession: db.prepare('DELETE FROM session WHERE id = ?'),
    sessionsOfFile: db.prepare('SELECT s.id, s.key, e.json FROM session s JOIN entry e ON e.id = s.id WHERE s.file = ?'),
    getTranscript: db.prepare('SELECT bytes, messages, exchanges, leaf_id, kind FROM transcript WHERE file = ?'),
    putTranscript: db.prepare(
      `INSERT INTO transcript (file, bytes, messages, exchanges, leaf_id, kind) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (file) DO UPDATE SET bytes = excluded.bytes, messages = excluded.messages,
         exchanges = excluded.exchanges, leaf_id = excluded.leaf_id, kind = excluded.kind`,
    ),
    dropTranscript: db.prepare('DELETE FROM transcript WHERE file = ?'),
    baseOf: db.prepare('SELECT json FROM base WHERE key = ? ORDER BY generation LIMIT 1'),
    putBase: db.prepare('INSERT INTO base (key, generation, json) VALUES (?, ?, ?) ON CONFLICT DO NOTHING'),
    copyBase: db.prepare('INSERT INTO base (key, generation, json) SELECT ?, ?, json FROM entry WHERE id = ? ON CONFLICT DO NOTHING'),
    forgetBases: db.prepare('DELETE FROM base WHERE generation <= ?'),
    putResult: db.prepare(
      `INSERT INTO result (key, hash, json, keep_until, seq) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`,
    ),
  };
}

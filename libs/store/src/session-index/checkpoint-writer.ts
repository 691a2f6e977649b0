/**
 * Streams a snapshot of the index into a new `sessions.json`: one read transaction on a connection
 * of its own, 200 rows a step, a sync every MiB, so that neither the worker nor the disk is held up
 * for long. Between two steps the worker serves its other messages.
 *
 * Writes only the temp file; renaming it is the caller's, after transcripts are synced.
 */
import * as fs from 'node:fs';
import { keyLiteral } from './index-key';
import { openIndexForReading } from './open-database';

const ROWS_PER_STEP = 200;
const SYNC_EVERY_BYTES = 1024 * 1024;
const FILE_MODE = 0o600;

export interface CheckpointSource {
  readonly indexFile: string;
  readonly tempFile: string;
  readonly nativeBinding?: string;
}

interface EntryRow {
  readonly key: string;
  readonly json: Buffer;
}

/**
 * @param afterSnapshot runs when the snapshot is taken, before the first row is read.
 * @param breathe resolves after other messages had their turn.
 * @returns bytes and entries written; the file is synced.
 */
export async function writeSnapshot(
  source: CheckpointSource,
  afterSnapshot: () => void,
  breathe: () => Promise<void>,
): Promise<{ bytes: number; entriesCount: number }> {
  const db = openIndexForReading(source.indexFile, source.nativeBinding);
  const flags = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW;
  const fd = fs.openSync(source.tempFile, flags, FILE_MODE);
  try {
    db.exec('BEGIN');
    db.prepare('SELECT 1 FROM meta LIMIT 1').get();
    afterSnapshot();
    const out = new SlicedFile(fd);
    const page = db.prepare(
      `SELECT s.key, s.id, e.json FROM entry e JOIN session s ON s.id = e.id WHERE e.id > ? ORDER BY e.id LIMIT ${ROWS_PER_STEP}`,
    );
    let lastId = 0;
    let entriesCount = 0;
    for (;;) {
      const rows = page.all(lastId) as (EntryRow & { id: number })[];
      for (const row of rows) {
        out.push(Buffer.from(`${entriesCount === 0 ? '{\n' : ',\n'}  ${keyLiteral(row.key)}: `, 'utf8'));
        out.push(row.json);
        entriesCount += 1;
        lastId = row.id;
      }
      if (rows.length < ROWS_PER_STEP) break;
      await breathe();
    }
    out.push(Buffer.from(entriesCount === 0 ? '{}' : '\n}', 'utf8'));
    out.flush();
    fs.fsyncSync(fd);
    return { bytes: out.bytes, entriesCount };
  } finally {
    fs.closeSync(fd);
    db.close();
  }
}

/** Gathers small pieces to a MiB, writes and syncs them; a larger piece goes through as it is. */
class SlicedFile {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafe(SYNC_EVERY_BYTES);
  #used = 0;
  bytes = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  push(piece: Buffer): void {
    if (piece.length > this.#buffer.length - this.#used) this.flush();
    if (piece.length > this.#buffer.length) {
      this.#write(piece);
      return;
    }
    piece.copy(this.#buffer, this.#used);
    this.#used += piece.length;
  }

  flush(): void {
    if (this.#used === 0) return;
    const piece = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    this.#write(piece);
  }

  #write(piece: Buffer): void {
    for (let at = 0; at < piece.length; ) at += fs.writeSync(this.#fd, piece, at, piece.length - at);
    fs.fdatasyncSync(this.#fd);
    this.bytes += piece.length;
  }
}

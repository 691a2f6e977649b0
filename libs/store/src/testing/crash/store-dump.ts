/**
 * What stands on a store's disk, read with as little of the engine as possible: the sessions file by
 * JSON.parse, transcripts by splitting lines, the index by plain SQL.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { storeLayout, type StoreLayout } from '../../files/layout';
import { openIndexForReading } from '../../session-index/open-database';
import type { TranscriptTail } from '../../types';

export interface DumpedTranscript {
  /** File name; archives carry their suffix. */
  readonly name: string;
  readonly bytes: Buffer;
}

export interface DumpedRow {
  readonly key: string;
  readonly json: string;
  readonly visibility: number;
  readonly updated_at: number | null;
  readonly sort_at: number;
  readonly session_id: string | null;
  readonly file: string | null;
  readonly label: string | null;
  readonly spawned_by: string | null;
  readonly parent_key: string | null;
  readonly status: string | null;
  readonly search: string;
  readonly row: Buffer;
}

export interface DumpedIndex {
  /** In store order. */
  readonly rows: readonly DumpedRow[];
  readonly transcripts: ReadonlyMap<string, TranscriptTail>;
  readonly results: ReadonlyMap<string, string>;
  readonly meta: ReadonlyMap<string, string>;
  readonly integrity: string;
}

const TRANSCRIPT_NAME = /\.jsonl(?:\.(?:reset|deleted|bak)\..+)?$/;
const NOT_A_TRANSCRIPT = /\.trajectory\.jsonl$/;

export function layoutOf(sessionsFile: string): StoreLayout {
  return storeLayout('main', sessionsFile);
}

/** Transcripts and archives beside the sessions file, by name. */
export function dumpTranscripts(dir: string): DumpedTranscript[] {
  const names = fs.readdirSync(dir).filter((name) => TRANSCRIPT_NAME.test(name) && !NOT_A_TRANSCRIPT.test(name));
  return names.sort().map((name) => ({ name, bytes: fs.readFileSync(path.join(dir, name)) }));
}

/** @returns undefined when there is no index. */
export function dumpIndex(indexFile: string): DumpedIndex | undefined {
  if (!fs.existsSync(indexFile)) return undefined;
  const db = openIndexForReading(indexFile);
  try {
    const rows = db
      .prepare(
        `SELECT s.key, CAST(e.json AS TEXT) AS json, s.visibility, s.updated_at, s.sort_at, s.session_id, s.file, s.label,
           s.spawned_by, s.parent_key, s.status, s.search, s.row
         FROM session s LEFT JOIN entry e ON e.id = s.id ORDER BY s.id`,
      )
      .all() as DumpedRow[];
    const orphans = db.prepare('SELECT count(*) FROM entry WHERE id NOT IN (SELECT id FROM session)').pluck().get() as number;
    const integrity = orphans === 0 ? String(db.pragma('integrity_check(1)', { simple: true })) : `${orphans} texts without a row`;
    const transcripts = new Map<string, TranscriptTail>();
    for (const row of db.prepare('SELECT * FROM transcript ORDER BY file').all() as {
      file: string;
      bytes: number;
      messages: number;
      exchanges: number;
      leaf_id: string | null;
      kind: TranscriptTail['kind'];
    }[]) {
      transcripts.set(row.file, { kind: row.kind, leafId: row.leaf_id, messages: row.messages, exchanges: row.exchanges, bytes: row.bytes });
    }
    const results = new Map<string, string>();
    for (const row of db.prepare('SELECT key, hash, json FROM result ORDER BY key').all() as { key: string; hash: string; json: string }[]) {
      results.set(row.key, `${row.hash} ${row.json}`);
    }
    const meta = new Map((db.prepare('SELECT name, value FROM meta').all() as { name: string; value: string }[]).map((row) => [row.name, row.value]));
    return { rows, transcripts, results, meta, integrity };
  } finally {
    db.close();
  }
}

/**
 * One string for all that recovery must leave the same when it runs again: bytes of the sessions file
 * and of all transcripts, rows, facts and results of the index. Epochs and times of writing differ.
 */
export function fingerprintOf(sessionsFile: string): string {
  const layout = layoutOf(sessionsFile);
  const hash = createHash('sha256');
  hash.update(fs.existsSync(sessionsFile) ? fs.readFileSync(sessionsFile) : 'no sessions file');
  for (const { name, bytes } of dumpTranscripts(layout.dir)) hash.update(`\n${name} ${bytes.length}\n`).update(bytes);
  hash.update(fs.existsSync(layout.manifestFile) ? fs.readFileSync(layout.manifestFile) : 'no manifest');
  const index = dumpIndex(layout.indexFile);
  if (index !== undefined) {
    for (const row of index.rows) hash.update(JSON.stringify({ ...row, row: row.row.toString('base64') }));
    hash.update(JSON.stringify([...index.transcripts]));
    hash.update(JSON.stringify([...index.results]));
  }
  return hash.digest('hex');
}

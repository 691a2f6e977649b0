/**
 * Merges a `sessions.json` that somebody else has changed into the index, entry by entry and member
 * by member, against the state of the last checkpoint:
 *
 * - they did not change it → ours stays;
 * - their `updatedAt` is older than ours → a stale copy, ours stays;
 * - members they changed and we did not → theirs; members both changed → ours;
 * - a key they added is added, a key they removed is removed unless we changed it since;
 * - a file that lacks at least 10 and more than half of our keys is taken for damage: nothing is
 *   removed, ours is written back.
 *
 * One transaction; the file's identity is stored with it.
 */
import * as fs from 'node:fs';
import { scanSessionsFileSync } from '../sessions-file/scan-sessions-file';
import { quarantineCopy } from '../files/quarantine';
import { toIndexKey } from './index-key';
import type { IndexWriter } from './index-writer';
import { mergeEntryTexts } from './merge-entry';
import type { StoreNotice } from './worker-protocol';

/** A file that lacks this many of our keys, and more than half of them, is damage. */
const MISSING_KEYS_DAMAGE_MIN = 10;

export interface MergeCounts {
  readonly changed: number;
  readonly added: number;
  readonly removed: number;
  /** The file must be written again from the index. */
  readonly rewriteDue: boolean;
  readonly removedEntries: readonly { readonly key: string; readonly text: string }[];
  readonly notices: readonly StoreNotice[];
}

/** @throws STORE_UNREADABLE when the file is no JSON object; the index is unchanged then. */
export function mergeSessionsFile(writer: IndexWriter, file: string, quarantineDir: string, nowMs: number): MergeCounts {
  const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  const { db } = writer;
  db.exec('CREATE TEMP TABLE seen (id INTEGER PRIMARY KEY)');
  try {
    return writer.transaction(() => {
      const findId = db.prepare('SELECT id FROM session WHERE key = ?').pluck();
      const markSeen = db.prepare('INSERT OR IGNORE INTO seen (id) VALUES (?)');
      let changed = 0;
      let added = 0;
      scanSessionsFileSync(fd, (entry) => {
        const key = toIndexKey(entry.key);
        const theirs = entry.valueBytes.toString('utf8');
        const id = findId.get(key) as number | undefined;
        if (id === undefined) {
          // We removed it since the checkpoint: it stays removed.
          if (writer.baseOf(key)?.text !== undefined) return;
          writer.putEntry(key, theirs, 'file');
          markSeen.run(findId.get(key));
          added += 1;
          return;
        }
        markSeen.run(id);
        const ours = writer.entryText(key) as string;
        if (ours === theirs) return;
        const merged = mergeEntryTexts(ours, theirs, writer.baseOf(key));
        if (merged === ours) return;
        writer.putEntry(key, merged, 'file');
        changed += 1;
      });
      return { changed, added, ...removeMissing(writer, file, quarantineDir, nowMs) };
    });
  } finally {
    db.exec('DROP TABLE IF EXISTS temp.seen');
    fs.closeSync(fd);
  }
}

function removeMissing(
  writer: IndexWriter,
  file: string,
  quarantineDir: string,
  nowMs: number,
): Pick<MergeCounts, 'removed' | 'rewriteDue' | 'removedEntries' | 'notices'> {
  const { db } = writer;
  const total = db.prepare('SELECT count(*) FROM session').pluck().get() as number;
  const missing = db
    .prepare('SELECT s.key FROM session s WHERE NOT EXISTS (SELECT 1 FROM seen WHERE seen.id = s.id)')
    .pluck()
    .all() as string[];
  const removedByThem = missing.filter((key) => writer.baseOf(key) === undefined);
  if (removedByThem.length >= MISSING_KEYS_DAMAGE_MIN && removedByThem.length * 2 > total) {
    quarantineCopy(file, quarantineDir, nowMs);
    const message = 'the sessions file lost more than half of its entries at once: taken for damage, nothing removed';
    return { removed: 0, rewriteDue: true, removedEntries: [], notices: [{ kind: 'damage', message, path: file, count: removedByThem.length }] };
  }
  const removedEntries = removedByThem.map((key) => ({ key, text: writer.entryText(key) as string }));
  for (const key of removedByThem) writer.removeEntry(key, 'file');
  return { removed: removedByThem.length, rewriteDue: false, removedEntries, notices: [] };
}

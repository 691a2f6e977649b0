/**
 * Fills an empty session index from `sessions.json`, entry by entry, keeping every value's bytes.
 * Runs in the worker thread, in one transaction: a damaged file leaves the index empty.
 */
import * as fs from 'node:fs';
import { scanSessionsFileSync } from '../sessions-file/scan-sessions-file';
import { toIndexKey } from './index-key';
import type { IndexWriter } from './index-writer';
import { META } from './schema';
import type { StoreNotice } from './worker-protocol';

export interface ImportReport {
  /** `empty`: the file has 0 bytes. */
  readonly outcome: 'empty' | 'imported';
  readonly entriesCount: number;
  readonly notices: readonly StoreNotice[];
}

/** @throws STORE_UNREADABLE when the file is no JSON object; the index is unchanged then. */
export function importSessionsFile(writer: IndexWriter, file: string): ImportReport {
  const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    writer.beginBulk();
    return writer.transaction(() => {
      const summary = scanSessionsFileSync(fd, (entry) => {
        const text = entry.valueBytes;
        const key = toIndexKey(entry.key);
        if (entry.duplicateKey) writer.importDuplicate(key, text.toString('utf8'));
        else writer.importEntry(key, text, entry.value);
      });
      writer.setMeta(META.rowsMadeId, 0);
      const notices: StoreNotice[] = [];
      if (summary.duplicateKeysCount > 0) {
        notices.push({ kind: 'oddity', message: 'keys that stand twice in the sessions file: the last one counts', path: file, count: summary.duplicateKeysCount });
      }
      return { outcome: summary.outcome === 'empty' ? 'empty' : 'imported', entriesCount: summary.entriesCount, notices };
    });
  } finally {
    writer.endBulk();
    fs.closeSync(fd);
  }
}

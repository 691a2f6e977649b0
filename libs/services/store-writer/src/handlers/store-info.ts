/** StoreInfo: where a store is, how much it holds, and what is wrong with it. */
import { lstat, readdir } from 'node:fs/promises';
import * as path from 'node:path';
import { Finding, StoreInfoResponse, type StoreInfoRequest } from '@sessions/contracts';
import type { StoreNotice } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';

const TRANSCRIPT = /\.jsonl$/;
const NOT_TRANSCRIPT = /\.(trajectory|checkpoint\.[0-9a-f-]+)\.jsonl$/;
const ARCHIVE = /\.(reset|deleted|bak)\.\d{4}-\d{2}-\d{2}T[\d-]+(\.\d+)?Z$/;

interface FileTotals {
  transcripts: number;
  transcriptBytes: number;
  archives: number;
  archiveBytes: number;
}

export function storeInfo(agent: OwnedAgent, _request: StoreInfoRequest): Promise<StoreInfoResponse> {
  const { owner, clock } = agent.deps;
  return agent.read(
    async (store, { compactions, work }) => {
      const info = await store.info();
      const files = await countFiles(store.layout.dir);
      return StoreInfoResponse.create({
        epoch: info.epoch,
        storeSeq: info.seq,
        path: info.path,
        entryCount: info.entriesCount,
        transcriptCount: files.transcripts,
        transcriptBytes: files.transcriptBytes,
        archiveCount: files.archives,
        archiveBytes: files.archiveBytes,
        journalBytes: info.journalBytes,
        // Reads wait for the index: it holds everything that was acknowledged when they came.
        indexSeq: info.seq,
        checkpointSeq: info.checkpointSeq,
        checkpointAtMs: info.checkpointAgeMs > 0 ? clock.nowMs() - info.checkpointAgeMs : undefined,
        damage: info.notices.filter((notice) => notice.kind === 'damage').map(toFinding),
        owner,
        pendingTurns: work.counts.runs,
        pendingCompactions: compactions.list().length,
        pendingDeliveries: work.counts.deliveries,
        writeRefusal: info.writable ? undefined : 'STORE_UNREADABLE',
      });
    },
    () => StoreInfoResponse.create({ path: agent.deps.sessionsFile(), owner }),
  );
}

function toFinding({ kind, message, path: file, count }: StoreNotice, index: number): Finding {
  return Finding.create({
    kind,
    path: file === undefined ? undefined : path.basename(file),
    repair: 'none',
    detail: count === undefined ? message : `${message} (${String(count)})`,
    findingId: `notice-${String(index + 1)}`,
  });
}

/** One scan of the directory and of `transcripts/` in it. */
async function countFiles(dir: string): Promise<FileTotals> {
  const totals: FileTotals = { transcripts: 0, transcriptBytes: 0, archives: 0, archiveBytes: 0 };
  for (const folder of [dir, path.join(dir, 'transcripts')]) {
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
      throw error;
    });
    for (const name of names) {
      const isArchive = ARCHIVE.test(name);
      if (!isArchive && (!TRANSCRIPT.test(name) || NOT_TRANSCRIPT.test(name))) continue;
      const stats = await lstat(path.join(folder, name)).catch(() => undefined);
      if (stats?.isFile() !== true) continue;
      if (isArchive) {
        totals.archives += 1;
        totals.archiveBytes += stats.size;
      } else {
        totals.transcripts += 1;
        totals.transcriptBytes += stats.size;
      }
    }
  }
  return totals;
}

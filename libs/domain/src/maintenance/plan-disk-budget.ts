/**
 * What a store that is too large gives up (maintenance §10, decision 29): the oldest archives first,
 * then orphans, then the oldest free sessions. Only archives are unlinked, none of the same run and
 * none younger than an hour, so every removal can be undone for at least that long. Bytes that wait
 * for their hour are pending: they count as freed when it is asked whether more has to go, or a store
 * would lose session after session while it waits.
 */
import { fileAction, rowAction, type MaintenanceAction } from './actions';
import { archivedAtMs, bytesOf, isArchive, isLimit, isOrphan, oldestRows, type FactFile, type FactRow } from './facts';
import { ARCHIVE_MIN_AGE_MS } from './plan-archives';
import { TEMP_MIN_AGE_MS } from './plan-orphans';
import { isFree } from './protection';

export interface BudgetRequest {
  readonly maxDiskBytes: number;
  readonly highWaterBytes: number;
  /** Bytes on disk once the earlier steps are done. */
  readonly usedBytes: number;
  /** Bytes that the earlier steps of this run archive. */
  readonly archivedBytes: number;
  /** Files and rows that the earlier steps left. */
  readonly files: readonly FactFile[];
  readonly rows: readonly FactRow[];
  /** False: no archive may be unlinked yet, all of them are pending. */
  readonly mayUnlink: boolean;
  readonly nowMs: number;
}

/** Names as measured; `pendingBytes` is ours. */
export interface DiskBudgetReport {
  readonly totalBytesBefore: number;
  readonly totalBytesAfter: number;
  readonly maxBytes: number;
  readonly highWaterBytes: number;
  readonly removedFiles: number;
  readonly removedEntries: number;
  readonly freedBytes: number;
  /** In archives that have to wait: made by this run, under an hour old, or before the notice is over. */
  readonly pendingBytes: number;
  readonly overBudget: boolean;
}

export interface BudgetPlan {
  readonly actions: readonly MaintenanceAction[];
  /** Null: no budget is set. */
  readonly report: DiskBudgetReport | null;
}

export function planDiskBudget(request: BudgetRequest): BudgetPlan {
  const { maxDiskBytes, usedBytes } = request;
  if (!isLimit(maxDiskBytes)) return { actions: [], report: null };
  const highWaterBytes = isLimit(request.highWaterBytes) ? Math.min(request.highWaterBytes, maxDiskBytes) : Math.floor(maxDiskBytes * 0.8);
  const run = new BudgetRun(request, highWaterBytes);
  if (usedBytes > maxDiskBytes) run.clear();
  const totalBytesAfter = Math.max(0, usedBytes - run.freedBytes);
  return {
    actions: run.actions,
    report: {
      totalBytesBefore: usedBytes,
      totalBytesAfter,
      maxBytes: maxDiskBytes,
      highWaterBytes,
      removedFiles: run.removedFiles,
      removedEntries: run.removedEntries,
      freedBytes: run.freedBytes,
      pendingBytes: run.pendingBytes,
      overBudget: totalBytesAfter > maxDiskBytes,
    },
  };
}

/** One pass, in order; lives for one call of `planDiskBudget`. */
class BudgetRun {
  readonly actions: MaintenanceAction[] = [];
  readonly #request: BudgetRequest;
  readonly #highWaterBytes: number;
  readonly #freeable: readonly FactFile[];
  freedBytes = 0;
  pendingBytes: number;
  removedFiles = 0;
  removedEntries = 0;

  constructor(request: BudgetRequest, highWaterBytes: number) {
    this.#request = request;
    this.#highWaterBytes = highWaterBytes;
    const archives = request.files.filter(isArchive);
    const isFreeable = (file: FactFile): boolean => request.mayUnlink && request.nowMs - archivedAtMs(file) >= ARCHIVE_MIN_AGE_MS;
    this.#freeable = archives.filter(isFreeable);
    const waiting = archives.filter((file) => !isFreeable(file));
    this.pendingBytes = request.archivedBytes + waiting.reduce((sum, file) => sum + bytesOf(file.sizeBytes), 0);
  }

  clear(): void {
    const { files, rows, nowMs } = this.#request;
    this.#unlink(oldest(this.#freeable, archivedAtMs), 'unlink-archive');
    const spare = files.filter((file) => nowMs - file.mtimeMs > TEMP_MIN_AGE_MS);
    this.#unlink(oldest(spare.filter((file) => file.fileClass === 'orphan-prompt-blob'), mtime), 'unlink-blob');
    this.#unlink(oldest(spare.filter((file) => file.fileClass === 'stale-temp'), mtime), 'unlink-temp');
    for (const file of oldest(spare.filter(isOrphan), mtime)) {
      if (this.#isEnough()) return;
      this.actions.push(fileAction('archive-orphan', 'over-budget', file));
      this.pendingBytes += bytesOf(file.sizeBytes);
      this.removedFiles += 1;
    }
    for (const row of oldestRows(rows.filter(isFree), nowMs)) {
      if (this.#isEnough()) return;
      // A row without bytes of its own would be lost for nothing.
      if (bytesOf(row.bytes) === 0) continue;
      this.actions.push(rowAction('evict-budget', 'over-budget', row));
      this.pendingBytes += bytesOf(row.bytes);
      this.removedEntries += 1;
    }
  }

  #unlink(files: readonly FactFile[], kind: 'unlink-archive' | 'unlink-blob' | 'unlink-temp'): void {
    for (const file of files) {
      if (this.#isEnough()) return;
      this.actions.push(fileAction(kind, 'over-budget', file));
      this.freedBytes += bytesOf(file.sizeBytes);
      this.removedFiles += 1;
    }
  }

  #isEnough(): boolean {
    return this.#request.usedBytes - this.freedBytes - this.pendingBytes <= this.#highWaterBytes;
  }
}

const mtime = (file: FactFile): number => file.mtimeMs;

function oldest(files: readonly FactFile[], at: (file: FactFile) => number): FactFile[] {
  return [...files].sort((left, right) => at(left) - at(right) || (left.name < right.name ? -1 : left.name > right.name ? 1 : 0));
}

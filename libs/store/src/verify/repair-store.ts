/**
 * `sessions verify --repair` under the store's lock: looks, does what `planRepairs` says, looks
 * again. Deletes nothing: what it cuts or replaces is in the quarantine first, and an index is made
 * again only while something else holds the entries.
 */
import { constants, rmSync } from 'node:fs';
import * as path from 'node:path';
import { storeLayout, type StoreLayout } from '../files/layout';
import { quarantineBytes, quarantineCopy, quarantineMove } from '../files/quarantine';
import { openInside } from '../files/safe-path';
import { openStore, type OpenStoreOptions } from '../open-store';
import type { StoreNotice } from '../session-index/worker-protocol';
import { FINDING_RULES, planRepairs, type Finding, type RepairAction } from './findings';
import { verifyStore, type StoreReport } from './verify-store';

/** An unfinished last line beyond this is left for somebody to look at. */
const TORN_TAIL_BYTES_MAX = 16 * 1024 * 1024;
const NEWLINE = 0x0a;
const SEARCH_BYTES = 64 * 1024;

export interface RepairReport {
  readonly before: StoreReport;
  readonly done: readonly RepairAction[];
  readonly after: StoreReport;
}

/** @throws SESSION_LOCKED when another process has the store, READ_ONLY or DISK_FULL when it cannot be written. */
export async function repairStore(options: OpenStoreOptions): Promise<RepairReport> {
  const layout = storeLayout(options.agentId, options.sessionsFile);
  const verify = (): Promise<StoreReport> => verifyStore(options.agentId, options.sessionsFile, {
    nowMs: () => options.clock.nowMs(),
    ...(options.nativeBinding !== undefined && { nativeBinding: options.nativeBinding }),
  });
  const before = await verify();
  const done: RepairAction[] = [];
  // The owner's opening quarantines a broken sessions file, replays the journal and keeps others out.
  // It also cuts tails of transcripts that the journal has lines for.
  const cutAtOpening = new Set<string>();
  const onNotice = (notice: StoreNotice): void => {
    if (notice.kind === 'repaired' && notice.path !== undefined) cutAtOpening.add(notice.path);
    options.onNotice?.(notice);
  };
  const owned = await openStore({ ...options, acceptPartial: true, onNotice });
  try {
    for (const action of planRepairs(before.findings)) {
      if (action.do === 'quarantine') setAside(options.sessionsFile, layout.quarantineDir, options.clock.nowMs());
      else if (action.do === 'cut-torn-tail' && !cutAtOpening.has(path.join(layout.dir, action.file)) && !(await cutTornTail(layout, action.file, options.clock.nowMs()))) continue;
      else if (action.do === 'restore-sessions-file') await owned.checkpoint();
      done.push(action);
    }
  } finally {
    await owned.close();
  }
  if (done.some((action) => action.do === 'rebuild-index') && mayRebuildIndex(before.findings)) {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${layout.indexFile}${suffix}`, { force: true });
    await (await openStore(options)).close();
  }
  return { before, done, after: await verify() };
}

/** A file is copied, so that its place is never empty; anything else has to make room for one. */
function setAside(file: string, quarantineDir: string, nowMs: number): void {
  if (quarantineCopy(file, quarantineDir, nowMs) === undefined) quarantineMove(file, quarantineDir, nowMs);
}

/** While the sessions file could not be read the index is the only one that knows the entries. */
function mayRebuildIndex(findings: readonly Finding[]): boolean {
  const fileIsWhole = !findings.some(({ kind }) => kind.startsWith('sessions-file-') && FINDING_RULES[kind].wrong);
  return fileIsWhole || findings.some(({ kind }) => kind === 'index-unreadable');
}

/** @returns false when there is nothing to cut any more. */
async function cutTornTail(layout: StoreLayout, file: string, nowMs: number): Promise<boolean> {
  const handle = await openInside(layout.dir, file, { flags: constants.O_RDWR });
  if (handle === undefined) return false;
  try {
    const { size } = await handle.stat();
    const end = await endOfLastLine(handle, size);
    if (end === size || size - end > TORN_TAIL_BYTES_MAX) return false;
    const torn = Buffer.alloc(size - end);
    await handle.read(torn, 0, torn.length, end);
    quarantineBytes(file.replaceAll('/', '_'), torn, layout.quarantineDir, nowMs);
    await handle.truncate(end);
    await handle.datasync();
    return true;
  } finally {
    await handle.close();
  }
}

async function endOfLastLine(handle: { read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }> }, size: number): Promise<number> {
  const chunk = Buffer.allocUnsafe(SEARCH_BYTES);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - SEARCH_BYTES);
    const { bytesRead } = await handle.read(chunk, 0, end - start, start);
    const newline = chunk.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (newline !== -1) return start + newline + 1;
    end = start;
  }
  return 0;
}


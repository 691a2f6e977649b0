import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import * as path from 'node:path';
import { storeLayout } from '../files/layout';
import { nodeFileSystem } from '../files/file-system';
import { acquireOwnership } from '../files/owner-file';
import { kernelBootId, startTicksOf } from '../files/process-identity';
import { isOwnerGone, recordedEpoch } from './owner-gone';

let dir: string;
let sessionsFile: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'owner-gone-'));
  sessionsFile = path.join(dir, 'sessions.json');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const host = hostname();
/** A process id that nobody has any more. */
const deadPid = (): number => spawnSync(process.execPath, ['-e', '']).pid;

function record(fields: { epoch: number; pid: number; startTicks: number | null; host?: string; bootId?: string }): void {
  const { ownDir, ownerFile } = storeLayout('main', sessionsFile);
  mkdirSync(ownDir, { recursive: true });
  writeFileSync(ownerFile, JSON.stringify({ instance: 'w', host, acquiredAtMs: 0, transport: 'split', ...fields }));
}

describe('an owner', () => {
  it('is gone when its process is, on this host only', () => {
    const pid = deadPid();
    expect(isOwnerGone('main', sessionsFile, { host, pid, epoch: 1 })).toBe(true);
    expect(isOwnerGone('main', sessionsFile, { host: 'elsewhere', pid, epoch: 1 })).toBe(false);
    expect(isOwnerGone('main', sessionsFile, { host, pid: process.pid, epoch: 1 })).toBe(false);
  });

  it('is gone when its number is another process of today', () => {
    const ticks = startTicksOf(process.pid) ?? 0;
    record({ epoch: 3, pid: process.pid, startTicks: ticks - 1 });
    expect(isOwnerGone('main', sessionsFile, { host, pid: process.pid, epoch: 3 })).toBe(true);
    // The record is that of an owner before: it tells nothing of the one with the higher epoch.
    expect(isOwnerGone('main', sessionsFile, { host, pid: process.pid, epoch: 4 })).toBe(false);
    record({ epoch: 3, pid: process.pid, startTicks: ticks });
    expect(isOwnerGone('main', sessionsFile, { host, pid: process.pid, epoch: 3 })).toBe(false);
  });

  it('is gone from another container of this machine when it let go of the lock, and from another machine never', async () => {
    const owner = { host: 'container', pid: 1, epoch: 3 };
    record({ epoch: 3, pid: 1, startTicks: null, host: 'container', bootId: kernelBootId() ?? '' });
    expect(isOwnerGone('main', sessionsFile, owner)).toBe(true);
    expect(isOwnerGone('main', sessionsFile, { ...owner, epoch: 4 })).toBe(false);
    record({ epoch: 3, pid: 1, startTicks: null, host: 'container', bootId: 'another boot' });
    expect(isOwnerGone('main', sessionsFile, owner)).toBe(false);
    const living = await acquireOwnership(storeLayout('main', sessionsFile), { fs: nodeFileSystem, instance: 'w', transport: 'split', nowMs: 0 });
    record({ epoch: 4, pid: 1, startTicks: null, host: 'container', bootId: kernelBootId() ?? '' });
    expect(isOwnerGone('main', sessionsFile, { ...owner, epoch: 4 })).toBe(false);
    living.release();
    expect(isOwnerGone('main', sessionsFile, { ...owner, epoch: 4 })).toBe(true);
  });

  it('leaves its epoch behind', () => {
    expect(recordedEpoch('main', sessionsFile)).toBe(0);
    record({ epoch: 3, pid: 1, startTicks: null });
    expect(recordedEpoch('main', sessionsFile)).toBe(3);
    writeFileSync(storeLayout('main', sessionsFile).ownerFile, 'not json');
    expect(recordedEpoch('main', sessionsFile)).toBe(0);
  });
});

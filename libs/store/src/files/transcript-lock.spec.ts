import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileSystem, type FileSystem } from './file-system';
import { startTicksOf } from './process-identity';
import { acquireTranscriptLock, inspectTranscriptLock, removeDeadTranscriptLock, type LockReport, type TranscriptLockOptions } from './transcript-lock';

const START_MS = Date.parse('2026-06-01T09:00:00.000Z');

describe('acquireTranscriptLock', () => {
  let directory: string;
  let transcript: string;
  let lockFile: string;
  let nowMs: number;
  let pauses: number[];
  let reports: LockReport[];
  const children: ChildProcess[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lock-'));
    mkdirSync(join(directory, '.store'));
    transcript = join(directory, 'a.jsonl');
    lockFile = `${transcript}.lock`;
    nowMs = START_MS;
    pauses = [];
    reports = [];
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  });

  const options = (changes: Partial<TranscriptLockOptions> = {}): TranscriptLockOptions => ({
    fs: nodeFileSystem,
    tempDir: join(directory, '.store'),
    pid: process.pid,
    startTicks: startTicksOf(process.pid),
    epoch: 7,
    maxHoldMs: 300_000,
    acquireTimeoutMs: 60_000,
    staleMs: 1_800_000,
    nowMs: () => nowMs,
    sleep: (ms) => {
      pauses.push(ms);
      nowMs += ms;
      return Promise.resolve();
    },
    onReport: (report) => reports.push(report),
    ...changes,
  });

  const plant = (payload: unknown): void => {
    writeFileSync(lockFile, typeof payload === 'string' ? payload : JSON.stringify(payload));
    utimesSync(lockFile, nowMs / 1000, nowMs / 1000);
  };

  async function foreignProcess(): Promise<{ pid: number; starttime: number; end(): Promise<void> }> {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume(); console.log("up")']);
    children.push(child);
    await once(child.stdout, 'data');
    const pid = child.pid ?? 0;
    return {
      pid,
      starttime: startTicksOf(pid) ?? 0,
      async end() {
        child.stdin.end();
        await once(child, 'exit');
      },
    };
  }

  const iso = (ms: number): string => new Date(ms).toISOString();

  it('writes the payload that other programs read, with our epoch, readable by the user alone', async () => {
    const lock = await acquireTranscriptLock(transcript, options());
    expect(JSON.parse(readFileSync(lockFile, 'utf8'))).toEqual({
      pid: process.pid,
      createdAt: '2026-06-01T09:00:00.000Z',
      maxHoldMs: 300_000,
      starttime: startTicksOf(process.pid),
      epoch: 7,
    });
    expect(statSync(lockFile).mode & 0o777).toBe(0o600);
    await lock.release();
    expect(readdirSync(directory, { recursive: true })).toEqual(['.store']);
    await lock.release();
    expect(reports).toEqual([]);
  });

  it('is never there without the name of its holder', async () => {
    let wasThere: boolean | undefined;
    const watched: FileSystem = {
      ...nodeFileSystem,
      writeAll: (...parts) => {
        wasThere = existsSync(lockFile);
        return nodeFileSystem.writeAll(...parts);
      },
    };
    const lock = await acquireTranscriptLock(transcript, options({ fs: watched }));
    expect([wasThere, readFileSync(lockFile, 'utf8')]).toEqual([false, expect.stringContaining(`"pid": ${process.pid}`)]);
    await lock.release();
  });

  it('is taken on a file system without hard links too, and by one only', async () => {
    const plain: FileSystem = { ...nodeFileSystem, link: () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' })) };
    const lock = await acquireTranscriptLock(transcript, options({ fs: plain }));
    const second = acquireTranscriptLock(transcript, options({ fs: plain, acquireTimeoutMs: 100 }));
    await expect(second).rejects.toMatchObject({ reason: 'SESSION_LOCKED', facts: { pid: process.pid } });
    await lock.release();
    expect(readdirSync(directory, { recursive: true })).toEqual(['.store']);
  });

  it('waits for a living holder and goes on when it lets go', async () => {
    const foreign = await foreignProcess();
    plant({ pid: foreign.pid, createdAt: iso(nowMs), maxHoldMs: 1, starttime: foreign.starttime });
    const lock = await acquireTranscriptLock(
      transcript,
      options({
        sleep: (ms) => {
          pauses.push(ms);
          if (pauses.length === 3) rmSync(lockFile);
          return Promise.resolve();
        },
      }),
    );
    expect(pauses).toEqual([10, 20, 40]);
    await lock.release();
    expect(reports).toEqual([]);
  });

  it('refuses after the time limit, naming holder and path, and leaves the lock alone', async () => {
    const foreign = await foreignProcess();
    const payload = { pid: foreign.pid, createdAt: iso(nowMs), maxHoldMs: 1, starttime: foreign.starttime };
    plant(payload);
    await expect(acquireTranscriptLock(transcript, options({ acquireTimeoutMs: 1_000 }))).rejects.toMatchObject({
      reason: 'SESSION_LOCKED',
      facts: { pid: foreign.pid, path: lockFile, waitedMs: 1_000 },
    });
    expect(pauses.reduce((sum, ms) => sum + ms, 0)).toBe(1_000);
    expect(JSON.parse(readFileSync(lockFile, 'utf8'))).toEqual(payload);
  });

  it('does not wait at all for a dead process', async () => {
    const foreign = await foreignProcess();
    await foreign.end();
    plant({ pid: foreign.pid, createdAt: iso(nowMs), maxHoldMs: 1, starttime: foreign.starttime });
    await (await acquireTranscriptLock(transcript, options())).release();
    expect(pauses).toEqual([]);
    expect(reports).toMatchObject([{ kind: 'dead-lock-removed', reason: 'process-gone', holder: { pid: foreign.pid } }]);
  });

  it('notices within a second that a holder dies while being waited for', async () => {
    const foreign = await foreignProcess();
    plant({ pid: foreign.pid, createdAt: iso(nowMs), maxHoldMs: 1, starttime: foreign.starttime });
    let pausesAfterDeath = 0;
    let dead = false;
    const lock = await acquireTranscriptLock(
      transcript,
      options({
        sleep: async (ms) => {
          pauses.push(ms);
          if (dead) pausesAfterDeath += ms;
          if (pauses.length === 8) {
            await foreign.end();
            dead = true;
          }
        },
      }),
    );
    expect(Math.max(...pauses) + pausesAfterDeath).toBeLessThanOrEqual(1_000);
    await lock.release();
  });

  it('takes a recycled pid for a dead holder', async () => {
    plant({ pid: process.pid, createdAt: iso(nowMs), maxHoldMs: 1, starttime: (startTicksOf(process.pid) ?? 0) - 1 });
    await (await acquireTranscriptLock(transcript, options())).release();
    expect(reports).toMatchObject([{ reason: 'pid-recycled' }]);
    expect(pauses).toEqual([]);
  });

  it('takes a lock of an earlier epoch for a dead one', async () => {
    plant({ pid: process.pid, createdAt: iso(nowMs), maxHoldMs: 1, starttime: startTicksOf(process.pid), epoch: 6 });
    await (await acquireTranscriptLock(transcript, options())).release();
    expect(reports).toMatchObject([{ reason: 'epoch-superseded', holder: { epoch: 6 } }]);
  });

  it('stops at a living holder of a newer epoch', async () => {
    plant({ pid: process.pid, createdAt: iso(nowMs), maxHoldMs: 1, starttime: startTicksOf(process.pid), epoch: 8 });
    await expect(acquireTranscriptLock(transcript, options())).rejects.toMatchObject({ reason: 'EPOCH_SUPERSEDED', facts: { newerEpoch: 8 } });
    expect(existsSync(lockFile)).toBe(true);
  });

  it.each(['', '{', 'null', '[]', '{"pid":"12"}', '{"pid":-4}', '{"pid":0}', '\0\0\0'])('gives the unreadable payload %j half a minute', async (payload) => {
    plant(payload);
    await (await acquireTranscriptLock(transcript, options())).release();
    expect(reports).toMatchObject([{ kind: 'dead-lock-removed', reason: 'unreadable' }]);
    expect(nowMs - START_MS).toBeGreaterThan(30_000);
    expect(nowMs - START_MS).toBeLessThan(31_000);
  });

  it('reports a living holder that is overdue and never robs it', async () => {
    const payload = { pid: process.pid, createdAt: iso(nowMs - 1_800_001), maxHoldMs: 1, starttime: startTicksOf(process.pid) };
    plant(payload);
    await expect(acquireTranscriptLock(transcript, options({ acquireTimeoutMs: 500 }))).rejects.toMatchObject({ reason: 'SESSION_LOCKED' });
    expect(reports).toHaveLength(1);
    expect(reports).toMatchObject([{ kind: 'stale-holder', holder: { pid: process.pid } }]);
    expect(existsSync(lockFile)).toBe(true);
  });

  it.each<[string, () => void]>([
    ['directory', () => mkdirSync(lockFile)],
    ['link to a file', () => symlinkSync(join(directory, 'elsewhere'), lockFile)],
  ])('refuses a %s in its place', async (_what, put) => {
    writeFileSync(join(directory, 'elsewhere'), 'kept');
    put();
    await expect(acquireTranscriptLock(transcript, options())).rejects.toMatchObject({ reason: 'DAMAGED', facts: { path: lockFile } });
    expect(readFileSync(join(directory, 'elsewhere'), 'utf8')).toBe('kept');
    expect(existsSync(lockFile)).toBe(true);
  });

  it('does not remove a lock that somebody else put in place of ours', async () => {
    const lock = await acquireTranscriptLock(transcript, options());
    rmSync(lockFile);
    plant({ pid: 1, createdAt: iso(nowMs), maxHoldMs: 1 });
    await lock.release();
    expect(existsSync(lockFile)).toBe(true);
    expect(reports).toEqual([{ kind: 'lock-lost', path: lockFile }]);
  });

  it('leaves no half-written lock behind when the disk is full', async () => {
    const full: FileSystem = { ...nodeFileSystem, writeAll: () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })) };
    await expect(acquireTranscriptLock(transcript, options({ fs: full }))).rejects.toMatchObject({ reason: 'DISK_FULL' });
    expect(existsSync(lockFile)).toBe(false);
  });

  it('lets one of many through at a time', async () => {
    let inside = 0;
    let insideMax = 0;
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 2)));
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const lock = await acquireTranscriptLock(transcript, options({ sleep }));
        inside += 1;
        insideMax = Math.max(insideMax, inside);
        await sleep(1);
        inside -= 1;
        await lock.release();
      }),
    );
    expect(insideMax).toBe(1);
    expect(existsSync(lockFile)).toBe(false);
  });

  it('sweeps dead locks of ours, and leaves living ones and those of other programs', async () => {
    expect(await removeDeadTranscriptLock(lockFile, options())).toBeUndefined();
    plant({ pid: process.pid, createdAt: iso(nowMs), maxHoldMs: 1, starttime: startTicksOf(process.pid) });
    expect(await removeDeadTranscriptLock(lockFile, options())).toBeUndefined();
    expect(await inspectTranscriptLock(lockFile, options())).toMatchObject({ state: 'live' });
    plant({ pid: process.pid, createdAt: iso(nowMs), maxHoldMs: 1, starttime: 1 });
    expect(await removeDeadTranscriptLock(lockFile, options())).toBeUndefined();
    plant({ pid: process.pid, createdAt: iso(nowMs), maxHoldMs: 1, starttime: 1, epoch: 1 });
    expect(await removeDeadTranscriptLock(lockFile, options())).toBe('pid-recycled');
    expect(existsSync(lockFile)).toBe(false);
  });
});

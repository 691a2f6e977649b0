/**
 * A disk that fails: syncs and journal writes answered EIO, a full disk that gets room again, and a
 * disk that cannot be written. What was acknowledged stays, the rest is *unknown* or refused.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { openStore } from './open-store';
import { PrivateBuild } from './testing/crash/private-build';
import { readHistory } from './testing/crash/history';
import { LoopDisk, whyNoLoopDisk } from './testing/crash/loop-disk';
import { WorkPlace, listed, sayWhyNot } from './testing/crash/work-place';
import { WriterProcess, runTraced, whyNoTracing } from './testing/crash/writer-process';

const SEED = Number(process.env['CRASH_SEED'] ?? 20_260_606);
const TIMEOUT_MS = 240_000;
const OPERATIONS = 50;
const WARM_UP_OPERATIONS = 12;
const REOPENS_MAX = 5;
/** What a full disk has left when the work begins. */
const ROOM_LEFT_BYTES = 256 * 1024;
const SYNC_POINTS = [1, 2, 3, 5, 8, 13, 21];

const whyNot = whyNoTracing();
if (whyNot !== undefined) sayWhyNot('disk-faults by injection', whyNot);

let build: PrivateBuild;
beforeAll(async () => {
  build = await PrivateBuild.make();
});
afterAll(() => build.remove());

(whyNot === undefined ? describe : describe.skip)('a disk that answers EIO', () => {
  it.each(['fsync', 'fdatasync'])('loses nothing acknowledged when an %s fails once', async (call) => {
    const place = new WorkPlace('eio');
    try {
      for (const when of SYNC_POINTS) {
        const config = place.config({ seed: SEED, operations: OPERATIONS, waitAt: 'work', warmUpOperations: WARM_UP_OPERATIONS, reopensMax: REOPENS_MAX });
        await runTraced(new WriterProcess(build, config), { calls: call, inject: `error=EIO:when=${when}` });
        expect(`${call} ${when}: ${listed(await place.check())}`).toBe(`${call} ${when}: `);
      }
    } finally {
      place.remove();
    }
  }, TIMEOUT_MS);

  it('answers unknown to the group of a failed journal write, and goes on after opening anew', async () => {
    const place = new WorkPlace('eio-journal');
    let unknowns = 0;
    try {
      for (const when of [1, 2, 5]) {
        const config = place.config({ seed: SEED + when, operations: OPERATIONS, checkpointDelayMs: 60_000, waitAt: 'work', warmUpOperations: WARM_UP_OPERATIONS, reopensMax: REOPENS_MAX });
        const writer = new WriterProcess(build, config);
        await writer.ready();
        const segments = fs.readdirSync(place.ownDir).filter((name) => /^journal-\d/.test(name));
        await runTraced(writer, { calls: 'pwrite64,pwritev', inject: `error=EIO:when=${when}`, paths: segments.map((name) => path.join(place.ownDir, name)) });
        const own = readHistory(place.historyFile).filter((record) => record.run === config.run);
        const isUnknown = own.some((record) => record.t === 'unknown' && record.reason === 'OUTCOME_UNKNOWN');
        // A checkpoint of the workload may have begun another segment, whose writes succeed.
        if (isUnknown) expect(own.filter((record) => record.t === 'opened').length).toBeGreaterThan(1);
        if (isUnknown) unknowns += 1;
        expect(listed(await place.check({ twice: true }))).toBe('');
      }
      expect(unknowns).toBeGreaterThan(0);
    } finally {
      place.remove();
    }
  }, TIMEOUT_MS);
});

it('keeps what was acknowledged on a full disk, and works again when there is room', async () => {
  const whyNoDisk = await whyNoLoopDisk();
  if (whyNoDisk !== undefined) {
    sayWhyNot('disk-faults on a full disk', whyNoDisk);
    return;
  }
  const disk = new LoopDisk(32);
  const place = new WorkPlace('full', disk.mountPoint);
  try {
    const config = place.config({ seed: SEED, operations: 400, reopensMax: 2, waitAt: 'work', warmUpOperations: WARM_UP_OPERATIONS });
    const writer = new WriterProcess(build, config, 4);
    await writer.ready();
    const ballast = disk.fill(ROOM_LEFT_BYTES);
    writer.go();
    const full = await writer.end;
    // It came to its end by itself: nobody waited for room.
    expect(full.signal).toBeNull();
    const refused = readHistory(place.historyFile).flatMap((record) => (record.t === 'fail' || record.t === 'unknown' || record.t === 'failed' ? [record.reason] : []));
    expect(refused.some((reason) => reason.includes('DISK_FULL') || reason.includes('OUTCOME_UNKNOWN'))).toBe(true);
    fs.unlinkSync(ballast);
    expect(listed(await place.check({ twice: true }))).toBe('');
    expect(await new WriterProcess(build, place.config({ seed: SEED, operations: 40 }), 4).end).toMatchObject({ code: 0 });
    expect(listed(await place.check())).toBe('');
  } finally {
    place.remove();
    await disk.remove();
  }
}, TIMEOUT_MS);

it('refuses to open a store on a disk that is mounted read-only, and changes nothing', async () => {
  const whyNoDisk = await whyNoLoopDisk();
  if (whyNoDisk !== undefined) {
    sayWhyNot('disk-faults on a read-only disk', whyNoDisk);
    return;
  }
  const disk = new LoopDisk(24);
  const place = new WorkPlace('read-only', disk.mountPoint);
  try {
    await new WriterProcess(build, place.config({ seed: SEED, operations: 20 }), 4).end;
    await disk.unmount();
    disk.mount('ro');
    const opening = openStore({ agentId: 'main', sessionsFile: place.sessionsFile, instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() } });
    await expect(opening).rejects.toMatchObject({ reason: 'READ_ONLY' });
    await disk.unmount();
    disk.mount();
    expect(listed(await place.check())).toBe('');
  } finally {
    place.remove();
    await disk.remove();
  }
}, TIMEOUT_MS);

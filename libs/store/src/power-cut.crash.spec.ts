/**
 * The power is cut under a working store: an ext4 on a loop device is shut down without a flush, the
 * writer killed, the disk mounted again, as a reboot would. The history stands on another disk. Some
 * cuts hit the recovery from the cut before.
 */
import { PrivateBuild } from './testing/crash/private-build';
import { LoopDisk, whyNoLoopDisk } from './testing/crash/loop-disk';
import { readHistory } from './testing/crash/history';
import { SeededRandom } from './testing/seeded-random';
import { WorkPlace, listed, sayWhyNot } from './testing/crash/work-place';
import { WriterProcess } from './testing/crash/writer-process';

const CUTS = Number(process.env['CRASH_CUTS'] ?? 3);
const SEED = Number(process.env['CRASH_SEED'] ?? 20_260_602);
const DISK_MEBIBYTES = 96;
/** The cut comes after so many acknowledgements of a run. */
const ACKNOWLEDGED_MAX = 120;
/** Every so many cuts the writer recovers, and is cut soon, instead of the checker. */
const UNCHECKED_EVERY = 4;
const POLL_MS = 3;
const TIMEOUT_MS = 60_000 + CUTS * 20_000;

it(
  'keeps every promise when the power is cut under load and during recovery',
  async () => {
    const whyNot = await whyNoLoopDisk();
    if (whyNot !== undefined) {
      sayWhyNot('power-cut', whyNot);
      return;
    }
    const random = new SeededRandom(SEED);
    const build = await PrivateBuild.make();
    const disk = new LoopDisk(DISK_MEBIBYTES);
    const place = new WorkPlace('power', disk.mountPoint);
    try {
      let acknowledged = 0;
      for (let cut = 1; cut <= CUTS; cut += 1) {
        const config = place.config({ seed: SEED, operations: 100_000, checkpointDelayMs: 30 });
        const writer = new WriterProcess(build, config, 4);
        try {
          const wanted = random.below(ACKNOWLEDGED_MAX);
          await acknowledgedIn(place, config.run, wanted, writer);
          disk.cutPower();
        } finally {
          writer.kill();
          await writer.end;
        }
        acknowledged += countOf(place, config.run);
        await disk.unmount();
        disk.mount();
        if (cut % UNCHECKED_EVERY === 0) continue;
        const violations = await place.check({ twice: cut % 3 === 0 });
        expect(`after cut ${cut}, seed ${SEED}: ${listed(violations)}`).toBe(`after cut ${cut}, seed ${SEED}: `);
      }
      expect(listed(await place.check({ twice: true }))).toBe('');
      expect(acknowledged).toBeGreaterThan(CUTS);
      process.stdout.write(`power cut ${CUTS} times under ${acknowledged} acknowledgements\n`);
    } finally {
      build.remove();
      place.remove();
      await disk.remove();
    }
  },
  TIMEOUT_MS,
);

function countOf(place: WorkPlace, run: number): number {
  return readHistory(place.historyFile).filter((record) => record.t === 'ok' && record.run === run).length;
}

/** Resolves when the run has so many acknowledgements, or the writer is gone. */
async function acknowledgedIn(place: WorkPlace, run: number, wanted: number, writer: WriterProcess): Promise<void> {
  let isOver = false;
  void writer.end.then(() => (isOver = true));
  while (!isOver && countOf(place, run) < Math.max(1, wanted)) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

/**
 * Two processes and one store: of two that start at once one gets it and the other is told who has
 * it; one that was stopped, lost the store and wakes up changes and acknowledges nothing more.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { PrivateBuild } from './testing/crash/private-build';
import { EXIT_FENCED, EXIT_LOCKED } from './testing/crash/crash-writer';
import { readHistory } from './testing/crash/history';
import { WorkPlace, listed } from './testing/crash/work-place';
import { WriterProcess } from './testing/crash/writer-process';

const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 12);
const SEED = Number(process.env['CRASH_SEED'] ?? 20_260_603);
const TAKE_OVERS = 4;
const POLL_MS = 3;
const TIMEOUT_MS = 240_000;

let build: PrivateBuild;
beforeAll(async () => {
  build = await PrivateBuild.make();
});
afterAll(() => build.remove());

it(
  'gives the store to one of two that start at once, and the other names its process',
  async () => {
    const place = new WorkPlace('race');
    try {
      for (let round = 1; round <= ROUNDS; round += 1) {
        const writers = [1, 2].map(() => new WriterProcess(build, place.config({ seed: SEED + round, operations: 0, waitAt: 'open' })));
        await Promise.all(writers.map((writer) => writer.ready()));
        for (const writer of writers) writer.go();
        const exits = await Promise.all(writers.map((writer) => writer.end));
        const winners = exits.filter((exit) => exit.code === 0);
        const losers = exits.filter((exit) => exit.code === EXIT_LOCKED);
        // One that comes when the first has already closed gets the store in its turn.
        expect(winners.length + losers.length).toBe(2);
        expect(winners.length).toBeGreaterThan(0);
        const pids = writers.map((writer) => String(writer.pid));
        for (const loser of losers) {
          const named = /locked by (\d+)/.exec(loser.output)?.[1];
          expect(pids).toContain(named);
        }
      }
      expect(listed(await place.check({ twice: true }))).toBe('');
    } finally {
      place.remove();
    }
  },
  TIMEOUT_MS,
);

it(
  'fences an owner that was stopped while another took the store over',
  async () => {
    const place = new WorkPlace('fence');
    try {
      for (let round = 1; round <= TAKE_OVERS; round += 1) {
        const first = new WriterProcess(build, place.config({ seed: SEED + round, operations: 100_000 }), 4);
        const run = round * 2 - 1;
        await until(first, () => okCount(place, run) >= 5 * round);
        first.kill('SIGSTOP');
        // The lock of the operating system belongs to a file: without it the second finds nobody there.
        fs.unlinkSync(path.join(place.ownDir, 'owner.lock'));
        const second = new WriterProcess(build, place.config({ seed: SEED - round, operations: 30 }), 4);
        let taken = { code: null as number | null };
        let before = 0;
        try {
          await until(second, () => okCount(place, run + 1) >= 3);
          before = okCount(place, run);
          first.kill('SIGCONT');
          const woken = await first.end;
          expect(woken).toMatchObject({ code: EXIT_FENCED });
          taken = await second.end;
        } finally {
          first.kill();
          second.kill();
        }
        expect(taken.code).toBe(0);
        // One acknowledgement may have been decided before the stop and written down after it; no new call succeeds.
        expect(acknowledgedAfterWaking(place, run, before)).toEqual([]);
        expect(readHistory(place.historyFile)).toContainEqual(expect.objectContaining({ t: 'failed', run, reason: 'EPOCH_SUPERSEDED' }));
      }
      expect(listed(await place.check({ twice: true, afterTakeOver: true }))).toBe('');
    } finally {
      place.remove();
    }
  },
  TIMEOUT_MS,
);

/** Operations that the woken run began after its waking and that were acknowledged all the same. */
function acknowledgedAfterWaking(place: WorkPlace, run: number, acknowledgedBefore: number): string[] {
  const own = readHistory(place.historyFile).filter((record) => record.run === run);
  const acknowledged = own.flatMap((record) => (record.t === 'ok' && !record.repeated ? [record.id] : [])).slice(acknowledgedBefore);
  const failedAt = own.findIndex((record) => record.t === 'unknown' || record.t === 'failed');
  const started = new Set(own.slice(Math.max(failedAt, 0)).flatMap((record) => (record.t === 'start' ? [record.operation.id] : [])));
  return acknowledged.filter((id) => started.has(id));
}

function okCount(place: WorkPlace, run: number): number {
  return readHistory(place.historyFile).filter((record) => record.t === 'ok' && record.run === run).length;
}

async function until(writer: WriterProcess, isSo: () => boolean): Promise<void> {
  let isOver = false;
  void writer.end.then(() => (isOver = true));
  while (!isOver && !isSo()) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

/** A clock that jumps by a day, forth and back, at every reading: nothing that is acknowledged depends on it. */
import { PrivateBuild } from './testing/crash/private-build';
import { readHistory } from './testing/crash/history';
import { WorkPlace, listed } from './testing/crash/work-place';
import { WriterProcess } from './testing/crash/writer-process';

const SEED = Number(process.env['CRASH_SEED'] ?? 20_260_608);
const DAY_MS = 24 * 60 * 60_000;
const TIMEOUT_MS = 240_000;

it('keeps every promise, repeats included, while the clock jumps and over restarts', async () => {
  const build = await PrivateBuild.make();
  const place = new WorkPlace('clock');
  try {
    for (let run = 1; run <= 3; run += 1) {
      const config = place.config({ seed: SEED + run, operations: 60, clockJumpMs: DAY_MS });
      expect(await new WriterProcess(build, config, 4).end).toMatchObject({ code: 0 });
      expect(listed(await place.check({ twice: run === 3 }))).toBe('');
    }
    // Each run asked again for what an earlier one had acknowledged.
    expect(readHistory(place.historyFile).some((record) => record.t === 'ok' && record.repeated)).toBe(true);
  } finally {
    place.remove();
    build.remove();
  }
}, TIMEOUT_MS);

/**
 * A disk that takes a part of what it is given: writes that come back short are gone on with, writes
 * that fail half-way leave nothing that counts, whether it is the journal's or a transcript's.
 */
import { JOURNAL_KEPT } from './testing/crash/planted-bug';
import { PrivateBuild } from './testing/crash/private-build';
import { readHistory } from './testing/crash/history';
import { WorkPlace, listed } from './testing/crash/work-place';
import { WriterProcess } from './testing/crash/writer-process';

const SEED = Number(process.env['CRASH_SEED'] ?? 20_260_607);
const TIMEOUT_MS = 240_000;
const OPERATIONS = 80;

function withWrites(planted: string): Promise<PrivateBuild> {
  const file = 'files/file-system.ts';
  return PrivateBuild.make([
    { file, find: "import { promisify } from 'node:util';", replace: `$&\nconst faultyWritev = require('../testing/crash/faulty-writes').${planted};` },
    { file, find: 'fs.writev(fd, buffers, position,', replace: 'faultyWritev(fd, buffers, position,' },
  ]);
}

it('keeps every promise when each write takes only some of its bytes', async () => {
  const build = await withWrites('takingSome()');
  const place = new WorkPlace('short-writes');
  try {
    expect(await new WriterProcess(build, place.config({ seed: SEED, operations: OPERATIONS }), 4).end).toMatchObject({ code: 0 });
    expect(listed(await place.check({ twice: true }))).toBe('');
  } finally {
    place.remove();
    build.remove();
  }
}, TIMEOUT_MS);

it.each([5, 9, 16])('loses nothing acknowledged, and keeps nothing half, when every %s. write fails after half of its bytes', async (nth) => {
  const build = await withWrites(`failingHalfWay(${nth})`);
  const place = new WorkPlace('half-writes');
  try {
    const config = place.config({ seed: SEED + nth, operations: OPERATIONS, ...JOURNAL_KEPT, reopensMax: 12 });
    await new WriterProcess(build, config, 4).end;
    const unknown = readHistory(place.historyFile).some((record) => record.t === 'unknown' && record.reason === 'OUTCOME_UNKNOWN');
    expect(unknown).toBe(true);
    expect(listed(await place.check({ twice: true }))).toBe('');
  } finally {
    place.remove();
    build.remove();
  }
}, TIMEOUT_MS);

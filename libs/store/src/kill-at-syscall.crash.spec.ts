/**
 * A real writer process is killed as it enters the n-th call of each system call that changes a disk,
 * over opening, recovery, rebuild of the index, appends, patches, creations, removals and checkpoints.
 * Some kills hit the recovery from the kill before. After each, every invariant is checked.
 *
 * CRASH_POINTS=all tries every n; a number asks for about that many kills. CRASH_SEED picks the workload.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { PrivateBuild } from './testing/crash/private-build';
import { WorkPlace, listed, sayWhyNot } from './testing/crash/work-place';
import { WriterProcess, runTraced, whyNoTracing } from './testing/crash/writer-process';

const CALLS = ['pwrite64', 'pwritev', 'write', 'fdatasync', 'fsync', 'rename', 'unlink', 'openat', 'ftruncate', 'link'] as const;
/** Two at a time: one writer waits for its disk while the other computes. */
const CALL_PAIRS: [string, readonly string[]][] = [0, 2, 4, 6].map((index) => CALLS.slice(index, index === 6 ? undefined : index + 2)).map((calls) => [calls.join(' or '), calls]);
const SEED = Number(process.env['CRASH_SEED'] ?? 20_260_601);
const POINTS = process.env['CRASH_POINTS'];
/** About two minutes on two slow cores. */
const KILLS_DEFAULT = 45;
const OPERATIONS = 60;
/** Every so many kills the next writer recovers, and may be killed in it, instead of the checker. */
const UNCHECKED_EVERY = 3;
/** Every so many kills the index is deleted, so that the next opening rebuilds it. */
const INDEX_DELETED_EVERY = 5;
/** Every so many checks recovery runs twice. */
const TWICE_EVERY = 4;
const TIMEOUT_MS = POINTS === 'all' ? 4 * 60 * 60_000 : 10 * 60_000;

const whyNot = whyNoTracing();
if (whyNot !== undefined) sayWhyNot('kill-at-syscall', whyNot);

(whyNot === undefined ? describe : describe.skip)('a writer killed at a system call', () => {
  let build: PrivateBuild;
  let counts: Record<string, number>;

  beforeAll(async () => {
    build = await PrivateBuild.make();
    counts = await countCalls(build);
  }, 60_000);

  afterAll(() => build.remove());

  it.each(CALL_PAIRS)(
    'keeps every promise when it dies at any %s',
    async (_, calls) => {
      await Promise.all(calls.map((call) => killAtEach(call)));
    },
    TIMEOUT_MS,
  );

  async function killAtEach(call: string): Promise<void> {
      const place = new WorkPlace(`kill-${call}`);
      let kills = 0;
      try {
        for (const when of pointsOf(counts[call] ?? 0)) {
          const config = place.config({ seed: SEED, operations: OPERATIONS, waitAt: 'open' });
          const exit = await runTraced(new WriterProcess(build, config), { calls: call, inject: `signal=SIGKILL:when=${when}` });
          if (exit.signal === 'SIGKILL') kills += 1;
          else expect(exit).toMatchObject({ code: 0 });
          if (when % UNCHECKED_EVERY === 0) continue;
          if (kills % INDEX_DELETED_EVERY === 0) deleteIndex(place.ownDir);
          const violations = await place.check({ twice: kills % TWICE_EVERY === 0 });
          expect(`after dying at ${call} number ${when}, seed ${SEED}: ${listed(violations)}`).toBe(`after dying at ${call} number ${when}, seed ${SEED}: `);
        }
        expect(listed(await place.check({ twice: true }))).toBe('');
        expect(kills).toBeGreaterThan(0);
        process.stdout.write(`killed at ${call}: ${kills} times\n`);
      } finally {
        place.remove();
      }
  }
});

/** How often the busiest thread of an undisturbed run makes each call. */
async function countCalls(build: PrivateBuild): Promise<Record<string, number>> {
  const place = new WorkPlace('count');
  try {
    const outputFile = path.join(place.root, 'trace.txt');
    await runTraced(new WriterProcess(build, place.config({ seed: SEED, operations: OPERATIONS, waitAt: 'open' })), { calls: CALLS.join(','), outputFile });
    const perThread = new Map<string, number>();
    for (const line of fs.readFileSync(outputFile, 'utf8').split('\n')) {
      const match = /^(\d+)\s+(\w+)\(/.exec(line);
      if (match !== null) perThread.set(`${match[2]} ${match[1]}`, (perThread.get(`${match[2]} ${match[1]}`) ?? 0) + 1);
    }
    const counts: Record<string, number> = {};
    for (const [name, count] of perThread) {
      const call = name.split(' ')[0] as string;
      counts[call] = Math.max(counts[call] ?? 0, count);
    }
    return counts;
  } finally {
    place.remove();
  }
}

/** Dense at the beginning, where opening and recovery are, then spread evenly. */
function pointsOf(count: number): number[] {
  if (POINTS === 'all') return Array.from({ length: count }, (_, index) => index + 1);
  const wanted = Math.ceil((POINTS === undefined ? KILLS_DEFAULT : Number(POINTS)) / CALLS.length);
  const points = new Set<number>();
  for (let index = 0; index < wanted; index += 1) points.add(Math.max(1, Math.round(count * 0.95 * (index / wanted) ** 1.5) + (index < 3 ? index + 1 : 0)));
  return [...points].sort((a, b) => a - b);
}

function deleteIndex(ownDir: string): void {
  for (const suffix of ['', '-wal', '-shm']) fs.rmSync(path.join(ownDir, `index.sqlite${suffix}`), { force: true });
}

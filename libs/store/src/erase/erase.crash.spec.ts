/**
 * An erasure is killed as it enters the n-th of each system call that changes a disk. Whoever opens the
 * store afterwards either finds everything as it was, or nothing of the subject any more; and the
 * sessions of others are whole either way.
 *
 * CRASH_POINTS=all tries every n; a number asks for about that many kills.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { eraseInStore, openStore, type OpenStoreOptions } from '../open-store';
import { PrivateBuild } from '../testing/crash/private-build';
import { sayWhyNot } from '../testing/crash/work-place';
import { whyNoTracing } from '../testing/crash/writer-process';
import type { Effect } from '../types';

const CALLS = ['rename', 'unlink', 'fsync', 'fdatasync', 'pwrite64', 'write', 'ftruncate'] as const;
const POINTS = process.env['CRASH_POINTS'];
const KILLS_DEFAULT = 28;
const TIMEOUT_MS = POINTS === 'all' ? 4 * 60 * 60_000 : 10 * 60_000;
const RUN_MS_MAX = 90_000;

const ANN = 'agent:main:telegram:direct:700700700';
const BEN = 'agent:main:telegram:direct:800800800';
const ANN_ID = '11111111-aaaa-4000-8000-000000000001';
const BEN_ID = '22222222-bbbb-4000-8000-000000000002';
const SECRET = 'the words that nobody may ever read again, whatever dies meanwhile';

const whyNot = whyNoTracing();
if (whyNot !== undefined) sayWhyNot('erase', whyNot);

(whyNot === undefined ? describe : describe.skip)('an erasure killed at a system call', () => {
  let build: PrivateBuild;
  let template: string;
  let bensLines: string;
  let counts: ReadonlyMap<string, number>;

  beforeAll(async () => {
    build = await PrivateBuild.make();
    template = fs.mkdtempSync(path.join(tmpdir(), 'erase-crash-'));
    await liveIn(template);
    bensLines = fs.readFileSync(path.join(template, `${BEN_ID}.jsonl`), 'utf8').replaceAll(ANN, '');
    counts = countCalls();
  }, 60_000);

  afterAll(() => {
    build.remove();
    fs.rmSync(template, { recursive: true });
  });

  it.each(CALLS)(
    'is finished by whoever opens the store, when it dies at any %s',
    async (call) => {
      const points = pointsOf(counts.get(call) ?? 0);
      let kills = 0;
      for (const when of points) {
        const dir = copyOf(template);
        try {
          const died = erase(dir, ['-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${when}`]);
          if (died) kills += 1;
          const hadBegun = fs.existsSync(path.join(dir, '.store', 'erasure.json'));
          const store = await openStore(options(dir));
          const before = await store.entry({ key: ANN });
          expect((await store.entry({ key: BEN }))?.text).toContain(BEN_ID);
          expect((await store.history({ key: BEN, limit: 10 }))?.totalMessages).toBe(2);
          await store.close();
          if (hadBegun || before === undefined) expect([call, when, filesWith(dir)]).toEqual([call, when, []]);
          else expect((await withStore(dir)).archives).toBe(1);
          const { left } = await eraseInStore(options(dir), { kind: 'session', key: ANN });
          expect([left, filesWith(dir)]).toEqual([[], []]);
          const lines = fs.readFileSync(path.join(dir, `${BEN_ID}.jsonl`), 'utf8');
          expect(lines).toHaveLength(bensLines.length + ANN.length);
          expect(lines.trimEnd().split('\n').map((line) => (JSON.parse(line) as { id: string }).id)).toEqual([BEN_ID, 'b1', 'b2']);
        } finally {
          fs.rmSync(dir, { recursive: true });
        }
      }
      process.stdout.write(`erasures killed at ${call}: ${kills} of ${points.length}\n`);
      if (points.length > 0) expect(kills).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  /** @returns whether the process was killed. */
  function erase(dir: string, tracing: readonly string[], output = '/dev/null'): boolean {
    const script = build.eraser;
    const ran = spawnSync('strace', ['-f', '-qq', '-o', output, '-e', 'signal=none', ...tracing, process.execPath, script, path.join(dir, 'sessions.json'), ANN], { encoding: 'utf8', timeout: RUN_MS_MAX, env: { PATH: process.env['PATH'], UV_THREADPOOL_SIZE: '1' } });
    if (ran.signal === null && ran.status === 0) return false;
    expect([ran.signal ?? (ran.status === 137 ? 'SIGKILL' : ran.status), ran.stderr]).toEqual(['SIGKILL', '']);
    return true;
  }

  /** How often the busiest thread of an undisturbed erasure makes each call: all of them from one run. */
  function countCalls(): Map<string, number> {
    const dir = copyOf(template);
    const output = `${dir}.trace`;
    try {
      expect(erase(dir, ['-e', `trace=${CALLS.join(',')}`], output)).toBe(false);
      const perThread = new Map<string, number>();
      const most = new Map<string, number>();
      for (const [, thread = '', call = ''] of fs.readFileSync(output, 'utf8').matchAll(/^(\d+)\s+(\w+)\(/gm)) {
        const count = (perThread.get(`${thread} ${call}`) ?? 0) + 1;
        perThread.set(`${thread} ${call}`, count);
        most.set(call, Math.max(count, most.get(call) ?? 0));
      }
      return most;
    } finally {
      fs.rmSync(output, { force: true });
      fs.rmSync(dir, { recursive: true });
    }
  }
});

const options = (dir: string): OpenStoreOptions => ({ agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => Date.now() }, checkpointDelayMs: 20 });

async function liveIn(dir: string): Promise<void> {
  const store = await openStore(options(dir));
  const say = (key: string, id: string, lines: readonly string[], header: boolean): Promise<unknown> =>
    store.mutate({
      idempotencyKey: `${key}/${String(lines.length)}/${String(header)}`,
      decide: () => ({
        effects: [
          { kind: 'putEntry', key, set: { sessionId: id, updatedAt: 1, ...(key === BEN ? { friends: [ANN, 'agent:main:x'] } : {}) } },
          { kind: 'append', file: `${id}.jsonl`, lines: [...(header ? [JSON.stringify({ type: 'session', version: 3, id, sessionKey: key })] : []), ...lines], messages: lines.length, exchanges: lines.length, leafId: 'x' },
        ],
        result: { sessionKey: key },
      }),
    });
  const line = (id: string, content: string): string => JSON.stringify({ type: 'message', id, parentId: null, message: { role: 'user', content } });
  await say(ANN, ANN_ID, [line('a1', SECRET)], true);
  await say(BEN, BEN_ID, [line('b1', `greetings from ${ANN}`), line('b2', 'all of my own')], true);
  await store.withHeld([{ file: `${ANN_ID}.jsonl`, kind: 'reset' }], (held) => {
    const effects: Effect[] = [
      { kind: 'setAside', file: `${ANN_ID}.jsonl` },
      { kind: 'recordArchive', reason: 'reset', key: ANN, sessionId: ANN_ID, actor: 'test' },
    ];
    return store.mutate({ held, decide: () => ({ effects, result: null }) });
  });
  await say(ANN, ANN_ID, [line('a2', `${SECRET}, again`)], true);
  await store.close();
  fs.mkdirSync(path.join(dir, '.store', 'quarantine'), { recursive: true });
  fs.writeFileSync(path.join(dir, '.store', 'quarantine', `${ANN_ID}.jsonl.torn-2026-06-01T09-00-00.000Z-aaaaaaaa`), SECRET);
}

function copyOf(template: string): string {
  const dir = fs.mkdtempSync(path.join(tmpdir(), 'erase-killed-'));
  fs.cpSync(template, dir, { recursive: true });
  return dir;
}

async function withStore(dir: string): Promise<{ readonly archives: number }> {
  const store = await openStore(options(dir));
  try {
    return { archives: (await store.files.archives({ limit: 10 })).archives.length };
  } finally {
    await store.close();
  }
}

/** Every file that holds something of the subject, by its content or its name. */
function filesWith(dir: string): string[] {
  return fs.readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const full = path.join(dir, name);
    return name.includes(ANN_ID) || (fs.statSync(full).isFile() && [ANN, ANN_ID, SECRET].some((word) => fs.readFileSync(full).includes(word)));
  });
}

/** Spread evenly, the first and the last included. */
function pointsOf(count: number): number[] {
  const wanted = POINTS === 'all' ? count : Math.ceil(Number(POINTS ?? KILLS_DEFAULT) / CALLS.length);
  const points = Array.from({ length: Math.min(wanted, count) }, (_, index) => Math.round(1 + (index * (count - 1)) / Math.max(1, Math.min(wanted, count) - 1)));
  return [...new Set(points)];
}

/**
 * Ends a process whose main thread hangs, so that whoever restarts processes can: a restart policy
 * acts on exits, a health check alone restarts nothing.
 *
 * The main thread counts up a shared number; a thread of its own looks at it and, when it has not
 * moved for `limitMs`, says so on standard error and kills the process. Nothing acknowledged is
 * lost by that: it is on disk. The thread distrusts itself first: when its own wait took much
 * longer than asked (SIGSTOP, a suspended or overloaded machine), everything slept, and the count
 * gets a new period of grace.
 */
import { inspect } from 'node:util';
import { url as inspectorUrl } from 'node:inspector';
import { Worker } from 'node:worker_threads';

/** How long the main thread may stand still before the process ends. */
export const WATCHDOG_MS = 30_000;
/** Looks, and beats, in one period. */
const BEATS_PER_PERIOD = 10;
/** The thread holds a number and a sentence. */
const THREAD_HEAP_MB = 8;

const BEAT = 0;
const STOP = 1;

/** Runs in the thread: synchronous and without imports of ours, so that it needs no file in a bundle. */
const THREAD = `
const { workerData: { shared, limitMs, tickMs, sentence } } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const view = new Int32Array(shared);
let seen = Atomics.load(view, ${BEAT});
let lookedAtMs = performance.now();
let movedAtMs = lookedAtMs;
while (Atomics.wait(view, ${STOP}, 0, tickMs) === 'timed-out') {
  const nowMs = performance.now();
  const isLate = nowMs - lookedAtMs > tickMs * 3;
  const beat = Atomics.load(view, ${BEAT});
  if (beat !== seen || isLate) movedAtMs = nowMs;
  seen = beat;
  lookedAtMs = nowMs;
  if (nowMs - movedAtMs < limitMs) continue;
  try { writeSync(2, sentence + '\\n'); } catch {}
  process.kill(process.pid, 'SIGKILL');
}
`;

export interface Watchdog {
  stop(): Promise<void>;
}

export interface WatchdogOptions {
  /** Names the process in the last line. */
  readonly service: string;
  readonly instance: string;
  /** Milliseconds, default WATCHDOG_MS. */
  readonly limitMs?: number;
  /** Told when the thread itself cannot run; the process goes on without. */
  readonly onFailure?: (error: unknown) => void;
}

/** @returns undefined while a debugger is attached: it stops the main thread on purpose. */
export function startWatchdog({ service, instance, limitMs = WATCHDOG_MS, onFailure }: WatchdogOptions): Watchdog | undefined {
  if (inspectorUrl() !== undefined) return undefined;
  const shared = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  const view = new Int32Array(shared);
  const tickMs = Math.max(1, Math.round(limitMs / BEATS_PER_PERIOD));
  // A log line like the others; the logger lives on the thread that hangs.
  const sentence = JSON.stringify({ level: 'error', service, instance, durationMs: limitMs, reason: 'WEDGED', msg: 'the main thread stands still; the process ends itself' });
  const beating = setInterval(() => void Atomics.add(view, BEAT, 1), tickMs).unref();
  const thread = new Worker(THREAD, {
    eval: true,
    workerData: { shared, limitMs, tickMs, sentence },
    resourceLimits: { maxOldGenerationSizeMb: THREAD_HEAP_MB, maxYoungGenerationSizeMb: 1 },
    execArgv: [],
  });
  thread.unref();
  thread.on('error', (error) => (onFailure === undefined ? process.emitWarning(inspect(error)) : onFailure(error)));
  return {
    async stop() {
      clearInterval(beating);
      Atomics.store(view, STOP, 1);
      Atomics.notify(view, STOP);
      await thread.terminate();
    },
  };
}

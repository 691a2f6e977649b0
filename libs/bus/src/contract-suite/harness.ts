/** What a transport brings to the contract suite, and the tools that its tests share. */
import { randomUUID } from 'node:crypto';
import { SessionError } from '@sessions/domain';
import type { Reason } from '@sessions/domain';
import type { Bus, CallMeta } from '../bus';
import type { BusClock } from '../clock';
import type { BusTiming } from '../timing';

export interface BusHarness {
  readonly bus: Bus;
  /** The spans that this bus runs with; a transport on real time shortens them. */
  readonly timing: BusTiming;
  /** How exactly this bus tells time, milliseconds: 0 where it stands until it is advanced. */
  readonly slackMs: number;
  /** Lets everything that is ready, or on its way, arrive. */
  settle(): Promise<void>;
  /** Lets this much time pass for the bus, and what follows from it happen. */
  advance(ms: number): Promise<void>;
  /** From now on message number `seq` of every stream gets lost on its way; undefined: none. */
  loseStreamMessage(seq: number | undefined): void;
  close(): Promise<void>;
}

export type CreateHarness = () => Promise<BusHarness>;

/** A clock that stands until it is advanced. */
export class ManualClock implements BusClock {
  private timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  constructor(private now = Date.UTC(2026, 0, 1)) {}

  nowMs(): number {
    return this.now;
  }

  startTimer(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.now + Math.max(0, delayMs), callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((one) => one !== timer);
    };
  }

  /** Timers that wait; for tests of things that must not leave any behind. */
  get waiting(): number {
    return this.timers.length;
  }

  /** Runs what falls due in order of time, and lets promises settle between. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    await settle();
    for (;;) {
      const due = this.timers.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (!due) break;
      this.now = Math.max(this.now, due.atMs);
      this.timers = this.timers.filter((one) => one !== due);
      due.callback();
      await settle();
    }
    this.now = end;
    await settle();
  }
}

const SETTLE_ROUNDS = 5;

/** Lets everything that is ready run. */
export async function settle(): Promise<void> {
  for (let round = 0; round < SETTLE_ROUNDS; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

const PATIENCE_MS = 5_000;

/** Waits until `condition` holds; fails after 5 s of real time. */
export async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not reached: ${condition.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The refusal that `promise` ends with; fails when it does not. */
export async function refusal(promise: Promise<unknown>): Promise<SessionError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(outcome instanceof SessionError)) throw new Error(`no refusal but ${String(outcome)}`);
  return outcome;
}

export async function reasonOf(promise: Promise<unknown>): Promise<Reason> {
  return (await refusal(promise)).reason;
}

export function meta(changes: Partial<CallMeta> = {}): CallMeta {
  return {
    caller: 'service:test/1',
    scopes: [],
    requestId: randomUUID(),
    idempotencyKey: undefined,
    traceparent: undefined,
    tracestate: undefined,
    hops: 0,
    ...changes,
  };
}

/** A promise with its ends. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

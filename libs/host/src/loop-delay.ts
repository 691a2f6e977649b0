/**
 * How long the event loop of this process kept things waiting.
 *
 * A sample every 10 ms wakes the process a hundred times a second, which is most of what an idle
 * process costs. So samples are taken only while the loop has something to do: once a second the
 * share of time that it worked is looked at. At rest there is one look a second, and its own lateness
 * is a sample; a stall that begins at rest and fits between two looks is not seen, its successors are.
 */
import { createHistogram, performance } from 'node:perf_hooks';

/** How often the delay is sampled while the loop works, milliseconds; shorter stalls may be missed. */
export const SAMPLING_MS = 10;
/** How often the loop's work is looked at, milliseconds. */
export const LOOK_MS = 1_000;
/** Share of time from which on the loop counts as working; well above what sampling itself takes. */
export const WORKING_SHARE = 0.05;
/** Looks that found no work before sampling ends. */
export const QUIET_LOOKS = 10;

const NS_PER_MS = 1e6;

export interface LoopDelay {
  /** Delay below which `share` (0 to 1) of the samples since the last reset lie; 1: the longest. 0 without samples. Milliseconds. */
  quantileMs(share: number): number;
  reset(): void;
  /** True while the delay is sampled. */
  readonly isSampling: boolean;
  stop(): void;
}

/** Samples from the start: what starts is working. */
export function watchLoopDelay({ lookMs = LOOK_MS }: { readonly lookMs?: number } = {}): LoopDelay {
  const seen = createHistogram();
  let sampler: NodeJS.Timeout | undefined;
  let sampledAtMs = 0;
  let lookedAtMs = performance.now();
  let quietLooks = 0;
  let before = performance.eventLoopUtilization();

  const note = (delayMs: number): void => seen.record(Math.max(1, Math.round(delayMs * NS_PER_MS)));
  const sample = (): void => {
    const nowMs = performance.now();
    note(nowMs - sampledAtMs - SAMPLING_MS);
    sampledAtMs = nowMs;
  };
  const begin = (): void => {
    sampledAtMs = performance.now();
    sampler = setInterval(sample, SAMPLING_MS).unref();
  };
  const end = (): void => {
    clearInterval(sampler);
    sampler = undefined;
  };
  const look = (): void => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    const nowMs = performance.now();
    if (sampler === undefined) note(nowMs - lookedAtMs - lookMs);
    lookedAtMs = nowMs;
    quietLooks = utilization >= WORKING_SHARE ? 0 : quietLooks + 1;
    if (sampler === undefined && quietLooks === 0) begin();
    else if (sampler !== undefined && quietLooks >= QUIET_LOOKS) end();
  };

  begin();
  const looking = setInterval(look, lookMs).unref();
  return {
    quantileMs(share) {
      if (seen.count === 0) return 0;
      return (share >= 1 ? seen.max : seen.percentile(share * 100)) / NS_PER_MS;
    },
    reset: () => seen.reset(),
    get isSampling() {
      return sampler !== undefined;
    },
    stop() {
      clearInterval(looking);
      end();
    },
  };
}

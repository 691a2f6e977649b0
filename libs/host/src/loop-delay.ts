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

/** How long a span is that `lately` tells of, milliseconds. */
export const SPAN_MS = 60_000;

const NS_PER_MS = 1e6;
const US_PER_MS = 1e3;

/** How the loop did over a span of time. */
export interface LoopSpan {
  readonly intervalMs: number;
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  /** Share of the time that the loop worked. */
  readonly utilization: number;
  /** Processors that the process kept busy, its other threads among them. */
  readonly cpuCoreRatio: number;
}

export interface LoopDelay {
  /** Delay below which `share` (0 to 1) of the samples since the last reset lie; 1: the longest. 0 without samples. Milliseconds. */
  quantileMs(share: number): number;
  reset(): void;
  /** The last whole span; before there is one, the time since the start. */
  lately(): LoopSpan;
  /** True while the delay is sampled. */
  readonly isSampling: boolean;
  stop(): void;
}

/** Samples from the start: what starts is working. */
export function watchLoopDelay({ lookMs = LOOK_MS, spanMs = SPAN_MS }: { readonly lookMs?: number; readonly spanMs?: number } = {}): LoopDelay {
  const seen = createHistogram();
  let sampler: NodeJS.Timeout | undefined;
  let sampledAtMs = 0;
  let lookedAtMs = performance.now();
  let quietLooks = 0;
  let before = performance.eventLoopUtilization();

  const inSpan = createHistogram();
  let spanBegan = { atMs: performance.now(), work: performance.eventLoopUtilization(), cpu: process.cpuUsage() };
  let lastSpan: LoopSpan | undefined;
  const note = (delayMs: number): void => {
    const ns = Math.max(1, Math.round(delayMs * NS_PER_MS));
    seen.record(ns);
    inSpan.record(ns);
  };
  const spanSoFar = (): LoopSpan => {
    const intervalMs = Math.max(1, Math.round(performance.now() - spanBegan.atMs));
    const { user, system } = process.cpuUsage(spanBegan.cpu);
    return {
      intervalMs,
      delayP99Ms: inSpan.count === 0 ? 0 : rounded(inSpan.percentile(99) / NS_PER_MS),
      delayMaxMs: inSpan.count === 0 ? 0 : rounded(inSpan.max / NS_PER_MS),
      utilization: rounded(performance.eventLoopUtilization(spanBegan.work).utilization),
      cpuCoreRatio: rounded((user + system) / US_PER_MS / intervalMs),
    };
  };
  const endSpan = (): void => {
    lastSpan = spanSoFar();
    inSpan.reset();
    spanBegan = { atMs: performance.now(), work: performance.eventLoopUtilization(), cpu: process.cpuUsage() };
  };
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
    if (nowMs - spanBegan.atMs >= spanMs) endSpan();
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
    lately: () => lastSpan ?? spanSoFar(),
    get isSampling() {
      return sampler !== undefined;
    },
    stop() {
      clearInterval(looking);
      end();
    },
  };
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

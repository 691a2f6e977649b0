/**
 * Metrics of one process, in a registry of its own (Prometheus text format).
 *
 * Labels are of a small, known set (service, method, reason); a session key, a peer or an agent's
 * free text is never a label. Names carry their unit.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { watchLoopDelay, type LoopDelay, type LoopSpan } from './loop-delay';

export interface Metrics {
  readonly registry: Registry;
  counter<Label extends string>(name: string, help: string, labelNames?: readonly Label[]): Counter<Label>;
  gauge<Label extends string>(name: string, help: string, labelNames?: readonly Label[]): Gauge<Label>;
  /** Durations in seconds, as Prometheus wants them; `bucketsSeconds` default 1 ms to 10 s. */
  durations<Label extends string>(
    name: string,
    help: string,
    labelNames?: readonly Label[],
    bucketsSeconds?: readonly number[],
  ): Histogram<Label>;
  /** Longest stall of the event loop since the last `text()`, in milliseconds. */
  eventLoopStallMs(): number;
  /** How the event loop did over the last minute. */
  eventLoop(): LoopSpan;
  /** All metrics as text; the event-loop figures cover the time since the last call. */
  text(): Promise<string>;
  readonly contentType: string;
  /** Ends the measuring of the event loop. */
  close(): void;
}

export interface MetricsOptions {
  readonly service: string;
  readonly instance?: string;
}

const DURATION_BUCKETS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const MS_PER_SECOND = 1000;
const STALL_QUANTILES = [0.5, 0.99, 1] as const;

function addProcessMetrics(registry: Registry, loop: LoopDelay): void {
  const registers = [registry];
  new Gauge({
    name: 'sessions_event_loop_delay_seconds',
    help: 'Delay of the event loop since the last scrape, by quantile',
    labelNames: ['quantile'],
    registers,
    collect() {
      for (const quantile of STALL_QUANTILES) this.set({ quantile: String(quantile) }, loop.quantileMs(quantile) / MS_PER_SECOND);
    },
  });
  new Gauge({
    name: 'sessions_process_resident_memory_bytes',
    help: 'Resident memory of the process',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: 'sessions_process_heap_used_bytes',
    help: 'JavaScript heap in use',
    registers,
    collect() {
      this.set(process.memoryUsage().heapUsed);
    },
  });
}

export function createMetrics({ service, instance }: MetricsOptions): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service, ...(instance !== undefined && { instance }) });
  const loop = watchLoopDelay();
  addProcessMetrics(registry, loop);
  const registers = [registry];
  return {
    registry,
    contentType: registry.contentType,
    counter: (name, help, labelNames = []) => new Counter({ name, help, labelNames: [...labelNames], registers }),
    gauge: (name, help, labelNames = []) => new Gauge({ name, help, labelNames: [...labelNames], registers }),
    durations: (name, help, labelNames = [], bucketsSeconds = DURATION_BUCKETS_SECONDS) =>
      new Histogram({ name, help, labelNames: [...labelNames], buckets: [...bucketsSeconds], registers }),
    eventLoopStallMs: () => loop.quantileMs(1),
    eventLoop: () => loop.lately(),
    async text() {
      const text = await registry.metrics();
      loop.reset();
      return text;
    },
    close: () => loop.stop(),
  };
}

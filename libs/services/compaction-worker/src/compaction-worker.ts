/**
 * The compaction-worker: takes `compaction` jobs from the queue, so many at a time, and summarises transcripts that outgrow the model's context.
 *
 * A job is a notice: the work it names is in its owner's journal. A job that cannot be done here
 * is given back; after its last delivery it is a dead letter, and the owner's list of pending
 * work decides. Nothing here is the only copy of anything.
 */
import { CompactionJob } from '@sessions/contracts';
import { DEFAULT_TIMING, createJobWorker, createSubjects, type Bus, type BusTiming, type HandleJob } from '@sessions/bus';
import type { SessionConfig } from '@sessions/domain';
import { createJobMetrics, type Logger, type Metrics, type Service } from '@sessions/host';

const SERVICE_NAME = 'compaction-worker';

/** Why a job is given back while nobody here can do it. */
export const HANDLER_MISSING = 'handler-missing';
/** Soon enough for a worker that can, too rare to be a burden. */
const HANDLER_MISSING_RETRY_MS = 30_000;

export interface CompactionWorkerDeps {
  readonly bus: Bus;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The configuration in force at this moment; how many at a time counts at the start. */
  readonly config: () => SessionConfig;
  /** Does the work. Absent: every job is given back, for a worker that can. */
  readonly handle?: HandleJob<CompactionJob>;
  readonly timing?: Pick<BusTiming, 'inProgressMs'>;
}

export interface CompactionWorker extends Service {
  /** Jobs under way. */
  readonly running: number;
}

/** Builds the service and starts nothing. */
export function createCompactionWorker(deps: CompactionWorkerDeps): CompactionWorker {
  const { bus, config, metrics } = deps;
  const jobMetrics = createJobMetrics(metrics, deps.logger.child({ service: SERVICE_NAME }), 'compaction');
  const handle: HandleJob<CompactionJob> = deps.handle ?? (() => Promise.resolve({ retry: HANDLER_MISSING, afterMs: HANDLER_MISSING_RETRY_MS }));
  const worker = createJobWorker<CompactionJob>({
    bus,
    pattern: createSubjects(config().bus.subjectPrefix).jobs('compaction'),
    codec: CompactionJob,
    concurrency: config().compactionWorker.maxConcurrent,
    inProgressMs: (deps.timing ?? DEFAULT_TIMING).inProgressMs,
    handle: (job, handling) => jobMetrics.whileRunning(handle(job, handling)),
    onEnd: jobMetrics.noteEnd,
  });

  return {
    name: SERVICE_NAME,
    get running() {
      return worker.running;
    },
    start: () => worker.start(),
    drain: () => worker.drain(),
    stop: () => worker.stop(),
  };
}

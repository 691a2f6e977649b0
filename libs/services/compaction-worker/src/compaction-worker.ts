/**
 * The compaction-worker: takes `compaction` jobs from the queue, so many at a time, and summarises
 * transcripts that outgrow the model's context. It touches no file: it reads through the owner and
 * hands the summary back to it.
 *
 * A job is a notice: the work it names is in its owner's journal. A job that cannot be done here
 * is given back; after its last delivery it is a dead letter, and the owner's list of pending
 * work decides. Nothing here is the only copy of anything.
 */
import { CompactionJob } from '@sessions/contracts';
import { DEFAULT_TIMING, createJobWorker, createSubjects, type Bus, type BusTiming, type HandleJob, type Served } from '@sessions/bus';
import { SessionError, type SessionConfig } from '@sessions/domain';
import { createJobMetrics, type Logger, type Metrics, type Service } from '@sessions/host';
import type { RetryLimits } from '@sessions/llm';
import { createCompactor } from './compactor';
import { createOwnerCalls } from './owner-calls';
import { serveCompaction } from './serve-compaction';

const SERVICE_NAME = 'compaction-worker';
/** When a job whose owner cannot be reached comes again. Milliseconds. */
const OWNER_AWAY_RETRY_MS = 5_000;

export interface CompactionWorkerDeps {
  readonly bus: Bus;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The configuration in force at this moment; how many at a time counts at the start. */
  readonly config: () => SessionConfig;
  /** Name of this process among its peers. */
  readonly instance: string;
  /** Does a job. Default: summarises. */
  readonly handle?: HandleJob<CompactionJob>;
  readonly timing?: Pick<BusTiming, 'inProgressMs'>;
  /** Hard limit of one compaction, milliseconds. Default: `compaction.timeoutSeconds`. */
  readonly timeoutMs?: number;
  readonly retries?: RetryLimits;
}

export interface CompactionWorker extends Service {
  /** Jobs under way. */
  readonly running: number;
}

/** Builds the service and starts nothing. */
export function createCompactionWorker(deps: CompactionWorkerDeps): CompactionWorker {
  const { bus, config, metrics, timeoutMs, retries } = deps;
  const logger = deps.logger.child({ service: SERVICE_NAME });
  const jobMetrics = createJobMetrics(metrics, logger, 'compaction');
  const subjects = createSubjects(config().bus.subjectPrefix);
  const compactor = createCompactor({
    owner: createOwnerCalls({ bus, subjects, caller: `service:${SERVICE_NAME}/${deps.instance}` }),
    config,
    logger,
    nowMs: () => bus.clock.nowMs(),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(retries === undefined ? {} : { retries }),
  });
  const compact: HandleJob<CompactionJob> = async ({ agentId, operationId }, { signal }) => {
    try {
      await compactor.run(agentId, operationId, signal);
      return { done: true };
    } catch (error) {
      // Ended by somebody else, or with its session: there is nothing left to do.
      if (error instanceof SessionError && error.reason === 'STALE_PLAN') return { done: true };
      if (error instanceof SessionError && error.faces.retry !== 'no') return { retry: error.reason.toLowerCase().replaceAll('_', '-'), afterMs: OWNER_AWAY_RETRY_MS };
      throw error;
    }
  };
  const handle = deps.handle ?? compact;
  const worker = createJobWorker<CompactionJob>({
    bus,
    pattern: subjects.jobs('compaction'),
    codec: CompactionJob,
    concurrency: config().compactionWorker.maxConcurrent,
    inProgressMs: (deps.timing ?? DEFAULT_TIMING).inProgressMs,
    handle: (job, handling) => jobMetrics.whileRunning(handle(job, handling)),
    onEnd: jobMetrics.noteEnd,
  });
  let served: Served | undefined;

  return {
    name: SERVICE_NAME,
    get running() {
      return worker.running;
    },
    async start() {
      served = await serveCompaction(bus, subjects, compactor);
      await worker.start();
    },
    // A model may take minutes and a drain may not: what is under way is given back, and stays open at its owner.
    async drain() {
      await worker.stop();
      await served?.stop();
    },
    async stop() {
      await worker.stop();
      await served?.stop();
    },
  };
}

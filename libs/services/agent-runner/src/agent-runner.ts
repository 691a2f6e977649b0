/**
 * The agent-runner: takes `turn` jobs from the queue, so many at a time, and executes agent turns.
 *
 * A job is a notice: the work it names is in its owner's journal. A job that cannot be done here
 * is given back; after its last delivery it is a dead letter, and the owner's list of pending
 * work decides. Nothing here is the only copy of anything.
 */
import { TurnJob } from '@sessions/contracts';
import { DEFAULT_TIMING, createJobWorker, createSubjects, type Bus, type BusTiming, type HandleJob } from '@sessions/bus';
import type { SessionConfig } from '@sessions/domain';
import { createJobMetrics, type Logger, type Metrics, type Service } from '@sessions/host';

const SERVICE_NAME = 'agent-runner';

/** Why a job is given back while nobody here can do it. */
export const HANDLER_MISSING = 'handler-missing';
/** Soon enough for a worker that can, too rare to be a burden. */
const HANDLER_MISSING_RETRY_MS = 30_000;

export interface AgentRunnerDeps {
  readonly bus: Bus;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The configuration in force at this moment; how many at a time counts at the start. */
  readonly config: () => SessionConfig;
  /** Does the work. Absent: every job is given back, for a worker that can. */
  readonly handle?: HandleJob<TurnJob>;
  readonly timing?: Pick<BusTiming, 'inProgressMs'>;
}

export interface AgentRunner extends Service {
  /** Jobs under way. */
  readonly running: number;
}

/** Builds the service and starts nothing. */
export function createAgentRunner(deps: AgentRunnerDeps): AgentRunner {
  const { bus, config, metrics } = deps;
  const jobMetrics = createJobMetrics(metrics, deps.logger.child({ service: SERVICE_NAME }), 'turn');
  const handle: HandleJob<TurnJob> = deps.handle ?? (() => Promise.resolve({ retry: HANDLER_MISSING, afterMs: HANDLER_MISSING_RETRY_MS }));
  const worker = createJobWorker<TurnJob>({
    bus,
    pattern: createSubjects(config().bus.subjectPrefix).jobs('turn'),
    codec: TurnJob,
    concurrency: config().agentRunner.maxConcurrent,
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

/**
 * The agent-runner: takes turns from their queues, so many at a time of each lane, and has them executed
 * by a runtime. The runtime that is there by itself is served here too, unless the configuration says
 * that another takes its place. It takes no turn that it has no place for: what waits, waits in the
 * queue, for whichever runner has a place first.
 *
 * A job is a notice: the work it names is in its owner's journal. A job that cannot be done here
 * is given back; after its last delivery it is a dead letter, and the owner's list of pending
 * work decides. Nothing here is the only copy of anything.
 */
import { setMaxListeners } from 'node:events';
import { TurnJob } from '@sessions/contracts';
import { DEFAULT_TIMING, createJobWorker, createSubjects, type Bus, type BusTiming, type HandleJob, type JobWorker, type Served } from '@sessions/bus';
import type { SessionConfig, TurnLane } from '@sessions/domain';
import { createJobMetrics, type Logger, type Metrics, type Service } from '@sessions/host';
import type { RetryLimits } from '@sessions/llm';
import { createOwnerCalls } from './owner-calls';
import { serveDefaultRuntime } from './runtime/default-runtime';
import type { OfferTools } from './shell/offered-tools';
import { runTurn } from './shell/run-turn';
import type { TurnDeps } from './shell/turn-deps';

const SERVICE_NAME = 'agent-runner';
/** Turns get this long to end by themselves before the process does; the host allows ten seconds in all. */
export const DRAIN_MS = 7_000;

export interface AgentRunnerDeps {
  readonly bus: Bus;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The configuration in force at this moment; the prefix of the subjects and the choice of the runtime count at the start. */
  readonly config: () => SessionConfig;
  /** Name of this process among its peers. */
  readonly instance: string;
  /** Does a job. Default: executes the turn. */
  readonly handle?: HandleJob<TurnJob>;
  readonly timing?: Pick<BusTiming, 'inProgressMs'>;
  /** How models are asked again. */
  readonly retries?: RetryLimits;
  readonly heartbeatMs?: number;
  /** Before a turn is executed again whose runtime broke off. Milliseconds. */
  readonly firstPauseMs?: number;
  /** Default: DRAIN_MS. */
  readonly drainMs?: number;
  /** Whether what turns do is recorded in trajectories, and how long the end of one waits for it. */
  readonly trajectory?: TurnDeps['trajectory'];
  /** Default: the session tools that configuration allows. */
  readonly offerTools?: OfferTools;
}

export interface AgentRunner extends Service {
  /** Jobs under way. */
  readonly running: number;
}

/**
 * A notice may come twice. The owner cannot tell the second from a heartbeat of the first, both are of
 * this runner: so it is done with while the attempt is under way here, and the first is what is given back.
 */
function oncePerAttempt(handle: HandleJob<TurnJob>): HandleJob<TurnJob> {
  const underWay = new Set<string>();
  return async (job, handling) => {
    const name = JSON.stringify([job.agentId, job.runId, job.attempt]);
    if (underWay.has(name)) return { done: true };
    underWay.add(name);
    try {
      return await handle(job, handling);
    } finally {
      underWay.delete(name);
    }
  };
}

/** Builds the service and starts nothing. */
export function createAgentRunner(deps: AgentRunnerDeps): AgentRunner {
  const { bus, config, metrics, instance, heartbeatMs, firstPauseMs, retries, offerTools, trajectory, drainMs = DRAIN_MS } = deps;
  const logger = deps.logger.child({ service: SERVICE_NAME });
  const jobMetrics = createJobMetrics(metrics, logger, 'turn');
  const subjects = createSubjects(config().bus.subjectPrefix);
  const runnerId = `${SERVICE_NAME}/${instance}`;
  const caller = `service:${runnerId}`;
  const owner = createOwnerCalls({ bus, subjects, caller });
  let stopping = new AbortController();
  const turnDeps = { bus, subjects, owner, config, logger, caller, runnerId, ...(heartbeatMs === undefined ? {} : { heartbeatMs }), ...(firstPauseMs === undefined ? {} : { firstPauseMs }), ...(offerTools === undefined ? {} : { offerTools }), ...(trajectory === undefined ? {} : { trajectory }) };

  const handle = oncePerAttempt(deps.handle ?? ((job: TurnJob) => runTurn(turnDeps, job, stopping.signal)));
  const createLane = (lane: TurnLane, concurrency: () => number): JobWorker =>
    createJobWorker<TurnJob>({
      bus,
      pattern: subjects.jobs(lane),
      codec: TurnJob,
      concurrency,
      inProgressMs: (deps.timing ?? DEFAULT_TIMING).inProgressMs,
      handle: (job, handling) => jobMetrics.whileRunning(handle(job, handling)),
      onEnd: jobMetrics.noteEnd,
    });
  const lanes = [createLane('turn', () => config().agentRunner.maxConcurrent), createLane('subagent', () => config().agents.defaults.subagents.maxConcurrent)];
  let runtime: Served | undefined;
  const stop = async (): Promise<void> => {
    stopping.abort();
    await Promise.all(lanes.map((lane) => lane.stop()));
    const served = runtime;
    runtime = undefined;
    await served?.stop();
  };

  return {
    name: SERVICE_NAME,
    get running() {
      return lanes.reduce((sum, lane) => sum + lane.running, 0);
    },
    async start() {
      stopping = new AbortController();
      // One for each turn under way, and they are bounded.
      setMaxListeners(0, stopping.signal);
      if (config().agentRunner.runtime === 'builtin') runtime = await serveDefaultRuntime({ bus, subjects, config, logger, caller, ...(retries === undefined ? {} : { retries }) });
      for (const lane of lanes) await lane.start();
    },
    // What does not end in time is left open at its owner, for the next attempt: half an answer is none.
    async drain() {
      const cancel = bus.clock.startTimer(drainMs, () => stopping.abort());
      try {
        await Promise.all(lanes.map((lane) => lane.drain()));
      } finally {
        cancel();
      }
      await stop();
    },
    stop,
  };
}

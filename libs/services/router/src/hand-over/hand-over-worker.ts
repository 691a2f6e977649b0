/**
 * Takes `delivery` jobs and hands over what they tell of. A job is a notice: one of an agent stands for
 * everything that its store has open for other sessions, and a job that is lost loses nothing. An owner
 * that said that it has something, and whose job does not come, is looked at; one that could not be
 * reached is looked at again until nothing of it is left.
 */
import { DeliveryJob } from '@sessions/contracts';
import type { Event } from '@sessions/contracts';
import { DEFAULT_TIMING, createJobWorker } from '@sessions/bus';
import { createJobMetrics } from '@sessions/host';
import type { Metrics, Timer } from '@sessions/host';
import type { HandlerDeps } from '../deps';
import type { FanOut } from '../fan-out';
import { ownContext } from '../own-calls';
import { handOver } from './hand-over';
import type { HandedOver } from './hand-over';

/** Jobs at a time; each may be of another store. */
const CONCURRENCY = 4;
/** How long a job may take after its owner told of the delivery, before somebody looks. Milliseconds. */
export const LOST_JOB_MS = 10_000;
/** When a store that could not be served is looked at again, doubling. Milliseconds. */
const AGAIN_MS_FIRST = 2_000;
const AGAIN_MS_MAX = 60_000;
/** Stores that are to be looked at again; of more the owners tell by themselves. */
const OWED_MAX = 1_000;

export interface HandOverWorker {
  start(): Promise<void>;
  /** Takes no further job; resolves when those under way have ended. */
  drain(): Promise<void>;
  stop(): Promise<void>;
}

export interface HandOverWorkerDeps extends HandlerDeps {
  readonly metrics: Metrics;
  readonly instance: string;
  readonly fanOut: Pick<FanOut, 'add'>;
}

interface Owed {
  readonly timer: Timer;
  readonly waitMs: number;
}

export function createHandOverWorker(deps: HandOverWorkerDeps): HandOverWorker {
  const { bus, subjects, clock, logger, fanOut, instance, metrics } = deps;
  const jobMetrics = createJobMetrics(metrics, logger, 'delivery');
  const leaving = new AbortController();
  const running = new Map<string, Promise<HandedOver>>();
  const waiting = new Map<string, Promise<HandedOver>>();
  const owed = new Map<string, Owed>();
  let endListening: () => void = () => undefined;

  const begin = (agentId: string): Promise<HandedOver> => {
    const work = handOver(deps, agentId, (hops) => ownContext({ bus, instance, signal: leaving.signal, hops })).finally(() => running.delete(agentId));
    running.set(agentId, work);
    return work;
  };
  /** One at a time for a store; whoever comes meanwhile shares the one that begins after it. */
  const serve = (agentId: string): Promise<HandedOver> => {
    const before = running.get(agentId);
    if (before === undefined) return begin(agentId);
    const next = waiting.get(agentId) ?? before.catch(() => undefined).then(() => (waiting.delete(agentId), begin(agentId)));
    waiting.set(agentId, next);
    return next;
  };
  const lookLater = (agentId: string, waitMs: number): void => {
    if (leaving.signal.aborted || (owed.size >= OWED_MAX && !owed.has(agentId))) return;
    owed.get(agentId)?.timer.cancel();
    owed.set(agentId, { waitMs, timer: clock.setTimer(waitMs, () => void look(agentId, waitMs), { keepsAlive: false }) });
  };
  const look = async (agentId: string, waitedMs: number): Promise<void> => {
    const left = await serve(agentId).then(({ left }) => left, () => 1);
    if (left > 0) lookLater(agentId, Math.min(AGAIN_MS_MAX, Math.max(AGAIN_MS_FIRST, waitedMs * 2)));
    else forget(agentId);
  };
  const forget = (agentId: string): void => {
    owed.get(agentId)?.timer.cancel();
    owed.delete(agentId);
  };

  const worker = createJobWorker<DeliveryJob>({
    bus,
    pattern: subjects.jobs('delivery'),
    codec: DeliveryJob,
    concurrency: CONCURRENCY,
    inProgressMs: DEFAULT_TIMING.inProgressMs,
    async handle({ agentId, channel }) {
      // Of a channel's deliveries their adapter's stream knows.
      if (channel !== '') return { done: true };
      const { left } = await jobMetrics.whileRunning(serve(agentId));
      if (left > 0) {
        lookLater(agentId, AGAIN_MS_FIRST);
        return { retry: 'not-reached', afterMs: AGAIN_MS_FIRST };
      }
      forget(agentId);
      return { done: true };
    },
    onEnd: jobMetrics.noteEnd,
  });

  const onEvent = ({ agentId, body }: Event): void => {
    if (body?.$case !== 'delivery' || body.value.channel !== '' || body.value.state !== 'open') return;
    if (!owed.has(agentId)) lookLater(agentId, LOST_JOB_MS);
  };
  return {
    async start() {
      endListening = fanOut.add(onEvent);
      await worker.start();
    },
    async drain() {
      endListening();
      await worker.drain();
    },
    async stop() {
      endListening();
      leaving.abort();
      for (const agentId of [...owed.keys()]) forget(agentId);
      await worker.stop();
      await Promise.allSettled([...running.values(), ...waiting.values()]);
    },
  };
}

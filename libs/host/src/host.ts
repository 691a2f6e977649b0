/**
 * Runs services in one process: started in order, drained and stopped in reverse order, so that a
 * service never outlives what it depends on. The end is bounded: work that is not finished after
 * `drainTimeoutMs` is cut off, which loses nothing that was acknowledged.
 */
import { type Clock, within } from './clock';
import type { Logger } from './logger';
import type { Service } from './service';

/** Longest wait for all services together to finish their work. */
export const DRAIN_TIMEOUT_MS = 10_000;
/** Longest wait for one service to close. */
export const STOP_TIMEOUT_MS = 5_000;

export interface HostDeps {
  /** In order of dependency: the first needs none of the others. */
  readonly services: readonly Service[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly drainTimeoutMs?: number;
  readonly stopTimeoutMs?: number;
}

export interface Host {
  /** Starts all services, or none: when one fails, those before it are stopped and its error is thrown. */
  start(): Promise<void>;
  /**
   * Drains and stops what was started. Later calls share the first one's result.
   * @returns true when every service finished and closed in time and without an error
   */
  shutdown(): Promise<boolean>;
}

export function createHost(deps: HostDeps): Host {
  const { services, clock, logger, drainTimeoutMs = DRAIN_TIMEOUT_MS, stopTimeoutMs = STOP_TIMEOUT_MS } = deps;
  const started: Service[] = [];
  let ending: Promise<boolean> | undefined;

  const finish = async (what: 'drain' | 'stop', service: Service, limitMs: number): Promise<boolean> => {
    const log = logger.child({ service: service.name });
    const beganAtMs = clock.monotonicMs();
    try {
      if ((await within(clock, limitMs, service[what]())) === 'done') return true;
      log.warn(`service did not ${what} in time`, { durationMs: Math.round(clock.monotonicMs() - beganAtMs) });
    } catch (err) {
      log.error(`service failed to ${what}`, { err });
    }
    return false;
  };

  const end = async (): Promise<boolean> => {
    const backwards = [...started].reverse();
    const deadlineMs = clock.monotonicMs() + drainTimeoutMs;
    let clean = true;
    for (const service of backwards) {
      clean = (await finish('drain', service, Math.max(0, deadlineMs - clock.monotonicMs()))) && clean;
    }
    for (const service of backwards) {
      clean = (await finish('stop', service, stopTimeoutMs)) && clean;
    }
    started.length = 0;
    return clean;
  };

  return {
    async start() {
      for (const service of services) {
        if (ending !== undefined) return;
        try {
          await service.start();
        } catch (error) {
          await (ending ??= end());
          throw error;
        }
        // A shutdown that came while this service was starting has not seen it.
        if (ending !== undefined) {
          await ending;
          await finish('stop', service, stopTimeoutMs);
          return;
        }
        started.push(service);
      }
    },
    shutdown: () => (ending ??= end()),
  };
}

/**
 * The maintenance-scheduler: decides when stores are tidied, and touches no file. Any copy answers
 * questions; only the leader begins anything by itself. It holds nothing that a restart would lose.
 */
import { GetScheduleResponse, MaintenanceServiceService } from '@sessions/contracts';
import { DEFAULT_TIMING, createSubjects, serveService, type Bus, type BusTiming, type Served } from '@sessions/bus';
import type { SessionConfig } from '@sessions/domain';
import type { Clock, Logger, Metrics, Service } from '@sessions/host';
import { hostname } from 'node:os';
import { LEADER_KEY, createLeadership } from './leadership';
import { createSchedule, type ScheduleDeps } from './schedule';

const SERVICE_NAME = 'maintenance-scheduler';

export interface MaintenanceSchedulerDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The configuration in force at this moment. */
  readonly config: () => SessionConfig;
  /** Name of this copy among its peers. */
  readonly instance: string;
  readonly timing?: Pick<BusTiming, 'leaseRenewMs' | 'leaseTrustMs'>;
  /** Begins what is due. Absent: nothing is due by itself. */
  readonly onTick?: ScheduleDeps['onTick'];
}

export interface MaintenanceScheduler extends Service {
  /** Whether this copy leads at this moment. */
  isLeader(): boolean;
}

/** Builds the service and starts nothing. */
export function createMaintenanceScheduler(deps: MaintenanceSchedulerDeps): MaintenanceScheduler {
  const { bus, clock, metrics, instance } = deps;
  const logger = deps.logger.child({ service: SERVICE_NAME });
  const timing = deps.timing ?? DEFAULT_TIMING;
  const subjects = createSubjects(deps.config().bus.subjectPrefix);
  const leads = metrics.gauge('sessions_maintenance_leader', '1 while this copy leads the maintenance');
  leads.set(0);
  const leadership = createLeadership({
    leases: bus.leases,
    clock,
    logger,
    holder: { instance: `${SERVICE_NAME}/${instance}`, host: hostname(), pid: process.pid },
    renewMs: timing.leaseRenewMs,
    trustMs: timing.leaseTrustMs,
    onChange(isLeader) {
      leads.set(isLeader ? 1 : 0);
      if (!isLeader) schedule.interrupt('the leadership was lost');
    },
  });
  const schedule = createSchedule({ clock, logger, metrics, isLeader: leadership.isLeader, onTick: deps.onTick ?? (() => Promise.resolve()) });
  let served: Served | undefined;

  const stop = async (): Promise<void> => {
    schedule.stop();
    await Promise.all([served?.stop(), leadership.stop()]);
  };

  return {
    name: SERVICE_NAME,
    isLeader: leadership.isLeader,
    async start() {
      try {
        served = await serveService(
          bus,
          MaintenanceServiceService,
          {
            async getSchedule() {
              const leader = (await bus.leases.read(LEADER_KEY))?.holder.instance;
              return GetScheduleResponse.create(leader === undefined ? {} : { leader });
            },
          },
          { subjectFor: (method) => subjects.maintenance(method), queueGroup: SERVICE_NAME },
        );
        await leadership.start();
        schedule.start();
      } catch (error) {
        await stop();
        throw error;
      }
    },
    async drain() {
      schedule.stop();
      await Promise.all([served?.stop(), schedule.settled()]);
      await leadership.stop();
    },
    stop,
  };
}

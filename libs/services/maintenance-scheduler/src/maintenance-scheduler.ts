/**
 * The maintenance-scheduler: decides when stores are tidied, and touches no file. Any copy answers
 * questions; only the leader begins anything by itself. It holds nothing that a restart would lose.
 */
import { GetScheduleResponse, MaintenanceServiceService, ScheduledStore } from '@sessions/contracts';
import { DEFAULT_TIMING, createSubjects, serveService, type Bus, type BusTiming, type Served } from '@sessions/bus';
import type { SessionConfig } from '@sessions/domain';
import type { Clock, Logger, Metrics, Service } from '@sessions/host';
import { hostname } from 'node:os';
import { AutomaticRuns } from './automatic-runs';
import { Cleanups } from './cleanup';
import { KeptRows } from './kept-rows';
import { LEADER_KEY, createLeadership } from './leadership';
import { createOwnerCalls } from './owner-calls';
import { StoreRuns } from './store-runs';
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
  /** The configuration was edited and is not valid: nothing begins by itself until it is mended. Absent: never. */
  readonly isSuspended?: () => boolean;
  /** Begins what is due. Absent: the automatic runs. */
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
  const isSuspended = deps.isSuspended ?? (() => false);
  const calls = createOwnerCalls(bus, subjects, instance);
  const runs = new StoreRuns(calls);
  const cleanups = new Cleanups({ calls, runs, clock, logger, config: deps.config });
  const automatic = new AutomaticRuns({ bus, subjects, calls, runs, keptRows: new KeptRows(logger, metrics), clock, logger, config: deps.config, isSuspended });
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
      automatic.restart(isLeader);
      if (!isLeader) schedule.interrupt('the leadership was lost');
    },
  });
  const schedule = createSchedule({ clock, logger, metrics, isLeader: leadership.isLeader, onTick: deps.onTick ?? ((nowMs, signal) => automatic.tick(nowMs, signal)) });
  let served: Served | undefined;

  const stop = async (): Promise<void> => {
    schedule.stop();
    await Promise.all([served?.stop(), leadership.stop(), automatic.stop()]);
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
              // Only the leader knows when its stores are due.
              const stores = leadership.isLeader() ? automatic.schedule().map((store) => ScheduledStore.create(store)) : [];
              return GetScheduleResponse.create({ leader, stores, suspendedReason: isSuspended() ? 'CONFIG_INVALID' : undefined });
            },
            plan: (request, context) => cleanups.plan(request, context),
            cleanup: (request, context) => cleanups.cleanup(request, context),
          },
          { subjectFor: (method) => subjects.maintenance(method), queueGroup: SERVICE_NAME },
        );
        await automatic.start();
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
      await Promise.all([leadership.stop(), automatic.stop()]);
    },
    stop,
  };
}

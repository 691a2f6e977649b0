/**
 * Calls to the services that work for all stores: maintenance and compaction. Any copy answers; when
 * none runs, the caller is told which service is missing instead of that a store has no owner.
 */
import { CompactionServiceService, MaintenanceServiceService } from '@sessions/contracts';
import type { CompactRequest, CompactResponse, MaintenanceServiceCleanupRequest, MaintenanceServiceCleanupResponse } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { createClient, idempotencyKeyOf } from '@sessions/bus';
import type { Bus, CallContext, Subjects } from '@sessions/bus';

/** When a caller may come again for a service that nobody runs. */
const COME_AGAIN_MS = 5_000;

export interface WorkerCalls {
  /** Summarises what was asked for; the store installs it. Takes as long as a model takes. */
  compact(request: CompactRequest, context: CallContext, timeoutMs: number): Promise<CompactResponse>;
  cleanup(request: MaintenanceServiceCleanupRequest, context: CallContext, timeoutMs: number): Promise<MaintenanceServiceCleanupResponse>;
}

export interface WorkerCallsDeps {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly instance: string;
}

export function createWorkerCalls({ bus, subjects, instance }: WorkerCallsDeps): WorkerCalls {
  const caller = `service:router/${instance}`;
  const compaction = createClient(bus, CompactionServiceService, { caller, subject: (method) => subjects.compaction(method) });
  const maintenance = createClient(bus, MaintenanceServiceService, { caller, subject: (method) => subjects.maintenance(method) });
  const options = (context: CallContext, timeoutMs: number) => ({ context, timeoutMs, idempotencyKey: idempotencyKeyOf(context) });
  return {
    compact: (request, context, timeoutMs) => named('compaction-worker', compaction.compact(request, options(context, timeoutMs))),
    cleanup: (request, context, timeoutMs) => named('maintenance-scheduler', maintenance.cleanup(request, options(context, timeoutMs))),
  };
}

/** Nobody subscribes to the subject, which the bus calls a missing owner. */
function named<T>(service: string, answer: Promise<T>): Promise<T> {
  return answer.catch((error: unknown) => {
    if (!(error instanceof SessionError) || error.reason !== 'NO_OWNER') throw error;
    throw new SessionError('NO_OWNER', `no ${service} is running`, { hint: `start a ${service}`, retryAfterMs: COME_AGAIN_MS, cause: error });
  });
}

/** Calls to the owners of stores, whoever they are: a store without an owner is claimed, a lost owner is asked again. */
import { ClaimStoreRequest, StoreServiceService } from '@sessions/contracts';
import { createClient, type Bus, type Client, type Subjects } from '@sessions/bus';
import { SessionError } from '@sessions/domain';
import { mayPass, persist } from './persist';

/** One piece of work at an owner, claims and retries included: an owner that died is replaced within that. Milliseconds. */
export const OWNER_DEADLINE_MS = 45_000;

export type StoreClient = Client<typeof StoreServiceService>;

export interface AskOptions {
  readonly signal?: AbortSignal;
  readonly deadlineMs?: number;
}

/** The call is made again under the same key, so `call` names its idempotency key outside itself. */
export type AskOwner = <T>(agentId: string, call: (store: StoreClient) => Promise<T>, options?: AskOptions) => Promise<T>;

/** Another attempt, or nobody, holds the run: asking again does not mend it. */
const NEVER_MENDED: ReadonlySet<string> = new Set(['RUN_STILL_ACTIVE', 'RUN_NOT_FOUND', 'STALE_PLAN', 'ENTRY_CHANGED', 'SESSION_NOT_FOUND']);

/** True for a refusal that says: the run is not this runner's (any more). */
export function isSuperseded(error: unknown): boolean {
  return error instanceof SessionError && NEVER_MENDED.has(error.reason);
}

export function createOwnerCalls({ bus, subjects, caller }: { readonly bus: Bus; readonly subjects: Subjects; readonly caller: string }): AskOwner {
  const store = createClient(bus, StoreServiceService, { caller, subject: (method, request) => subjects.store((request as { readonly agentId: string }).agentId, method) });
  const pool = createClient(bus, StoreServiceService, { caller, subject: (method) => subjects.storePool(method) });
  return (agentId, call, { signal, deadlineMs = OWNER_DEADLINE_MS } = {}) =>
    persist(
      async () => {
        try {
          return await call(store);
        } catch (error) {
          if (error instanceof SessionError && (error.reason === 'NO_OWNER' || error.reason === 'NOT_OWNER')) await pool.claimStore(ClaimStoreRequest.create({ agentId })).catch(() => undefined);
          throw error;
        }
      },
      { clock: bus.clock, deadlineAtMs: bus.clock.nowMs() + deadlineMs, ...(signal === undefined ? {} : { signal }), canPass: (error) => !isSuperseded(error) && mayPass(error) },
    );
}

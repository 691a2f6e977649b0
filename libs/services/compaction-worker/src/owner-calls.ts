/** Calls to the owners of stores, whoever they are: a store without an owner is claimed, a lost owner is asked again, both inside one deadline. */
import { ClaimStoreRequest, StoreServiceService } from '@sessions/contracts';
import { createClient, withRetries, type Bus, type Client, type Subjects } from '@sessions/bus';
import { SessionError } from '@sessions/domain';

/** One piece of work at an owner, claims and retries included. Milliseconds. */
export const OWNER_DEADLINE_MS = 30_000;

export type StoreClient = Client<typeof StoreServiceService>;
export type AskOwner = <T>(agentId: string, call: (store: StoreClient) => Promise<T>) => Promise<T>;

export function createOwnerCalls({ bus, subjects, caller }: { readonly bus: Bus; readonly subjects: Subjects; readonly caller: string }): AskOwner {
  const store = createClient(bus, StoreServiceService, { caller, subject: (method, request) => subjects.store((request as { readonly agentId: string }).agentId, method) });
  const pool = createClient(bus, StoreServiceService, { caller, subject: (method) => subjects.storePool(method) });
  return (agentId, call) =>
    withRetries(
      async () => {
        try {
          return await call(store);
        } catch (error) {
          if (error instanceof SessionError && (error.reason === 'NO_OWNER' || error.reason === 'NOT_OWNER')) await pool.claimStore(ClaimStoreRequest.create({ agentId })).catch(() => undefined);
          throw error;
        }
      },
      { clock: bus.clock, deadlineAtMs: bus.clock.nowMs() + OWNER_DEADLINE_MS, random: Math.random, retryable: (error) => error.reason === 'ENTRY_CHANGED' || ['yes', 'same-key', 'after-delay'].includes(error.faces.retry) },
    );
}

/** Calls to the owners of stores: facts in, actions out. A store that nobody serves is claimed first, once. */
import { ClaimStoreRequest, StoreServiceService, type AgentInfo, type ApplyMaintenanceRequest, type ApplyMaintenanceResponse, type ReadFactsRequest, type ReadFactsResponse } from '@sessions/contracts';
import { STREAM_DEADLINE_MS, createClient, type Bus, type ClientCallOptions, type Subjects } from '@sessions/bus';
import { AUTOMATIC_ACTOR_PREFIX, SessionError } from '@sessions/domain';

/** A store whose index is gone is rebuilt while it opens. */
const CLAIM_TIMEOUT_MS = 60_000;
/** A batch archives up to 200 transcripts, each with its syncs. */
const BATCH_TIMEOUT_MS = 300_000;
const POOL_METHODS: ReadonlySet<string> = new Set(['ClaimStore', 'ListAgents']);
const OWNERLESS: ReadonlySet<string> = new Set(['NO_OWNER', 'NOT_OWNER', 'EPOCH_SUPERSEDED', 'SHUTTING_DOWN']);

export interface OwnerCalls {
  /** What there is on disk and in the configuration. */
  agents(options?: ClientCallOptions): Promise<readonly AgentInfo[]>;
  facts(request: ReadFactsRequest, options?: ClientCallOptions): AsyncGenerator<ReadFactsResponse>;
  /** @param idempotencyKey the same for the same batch of the same plan. */
  apply(request: ApplyMaintenanceRequest, idempotencyKey: string, options?: ClientCallOptions): Promise<ApplyMaintenanceResponse>;
}

export function createOwnerCalls(bus: Bus, subjects: Subjects, instance: string): OwnerCalls {
  const client = createClient(bus, StoreServiceService, {
    caller: `${AUTOMATIC_ACTOR_PREFIX}${instance}`,
    subject: (method, request) => (POOL_METHODS.has(method) ? subjects.storePool(method) : subjects.store((request as { agentId: string }).agentId, method)),
  });
  const claim = (agentId: string, options: ClientCallOptions): Promise<unknown> => client.claimStore(ClaimStoreRequest.create({ agentId }), { ...options, timeoutMs: CLAIM_TIMEOUT_MS });

  return {
    agents: async (options = {}) => (await client.listAgents({}, options)).agents,
    async *facts(request, options = {}) {
      for (let isFirstTry = true; ; isFirstTry = false) {
        let begun = false;
        try {
          for await (const item of client.readFacts(request, { ...options, timeoutMs: STREAM_DEADLINE_MS })) {
            begun = true;
            yield item;
          }
          return;
        } catch (error) {
          if (begun || !isFirstTry || !isOwnerless(error)) throw error;
          await claim(request.agentId, options);
        }
      }
    },
    async apply(request, idempotencyKey, options = {}) {
      const call = (): Promise<ApplyMaintenanceResponse> => client.applyMaintenance(request, { ...options, idempotencyKey, timeoutMs: BATCH_TIMEOUT_MS });
      try {
        return await call();
      } catch (error) {
        if (!isOwnerless(error)) throw error;
        await claim(request.agentId, options);
        return call();
      }
    },
  };
}

function isOwnerless(error: unknown): boolean {
  return error instanceof SessionError && OWNERLESS.has(error.reason);
}

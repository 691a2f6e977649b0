/** PutChunk: one piece of a request that is too large for one message. */
import { PutChunkResponse, type PutChunkRequest } from '@sessions/contracts';
import type { OwnedAgent } from '../owned-agent';
import type { Uploads } from '../uploads';

/** @throws VALIDATION, TOO_LARGE, OVERLOADED */
export function putChunk(agent: OwnedAgent, uploads: Uploads, request: PutChunkRequest): Promise<PutChunkResponse> {
  // The store is opened first: its directory holds the pieces.
  return agent.use(async (open) => {
    const receivedBytes = await uploads.put(agent.agentId, request);
    return PutChunkResponse.create({ epoch: open.store.epoch, storeSeq: open.seq, receivedBytes });
  });
}

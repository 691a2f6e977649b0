/** One line of a run into its transcript, through its owner; a long one in pieces first. */
import { createHash, randomUUID } from 'node:crypto';
import { AppendRecordsRequest, PutChunkRequest } from '@sessions/contracts';
import type { AskOwner } from '../owner-calls';
import type { Claim } from './claim';

/** A line above it is uploaded: requests end at 900 KiB. */
const LINE_BYTES_MAX = 512 * 1024;
const CHUNK_BYTES = 512 * 1024;

export interface RecordPlace {
  readonly agentId: string;
  readonly key: string;
  readonly sessionId: string;
  readonly runId: string;
  readonly attempt: number;
}

/** Durable when it resolves. @throws ENTRY_CHANGED, STALE_PLAN ... when the run is not this attempt's any more */
export async function appendRecord(owner: AskOwner, claim: Claim, { agentId, ...place }: RecordPlace, line: Uint8Array): Promise<void> {
  const idempotencyKey = claim.nextKey();
  const long = line.length <= LINE_BYTES_MAX ? undefined : await upload(owner, claim, agentId, line);
  const what = long === undefined ? { lines: [Buffer.from(line)] } : { uploadId: long };
  await owner(agentId, (store) => store.appendRecords(AppendRecordsRequest.create({ agentId, ...place, ...what }), { idempotencyKey }));
  claim.noteKept();
}

async function upload(owner: AskOwner, claim: Claim, agentId: string, bytes: Uint8Array): Promise<string> {
  const uploadId = randomUUID();
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  for (let from = 0, index = 0; from < bytes.length; from += CHUNK_BYTES, index += 1) {
    const last = from + CHUNK_BYTES >= bytes.length;
    const request = PutChunkRequest.create({ agentId, uploadId, index, data: Buffer.from(bytes.subarray(from, from + CHUNK_BYTES)), last, ...(last ? { sha256 } : {}) });
    const idempotencyKey = claim.nextKey();
    await owner(agentId, (store) => store.putChunk(request, { idempotencyKey }));
  }
  return uploadId;
}

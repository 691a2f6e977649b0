/** Ids that follow from a request, so the same request made again names the same thing. */
import { createHash } from 'node:crypto';
import { idempotencyKeyOf } from '@sessions/bus';
import type { CallMeta } from '@sessions/bus';

/** A UUID (version 8) that follows from a text. */
export const uuidOf = (text: string): string => uuidOfBytes(digestOf(text).subarray(0, 16));

/** The UUID of whatever this call makes. */
export const uuidOfCall = (meta: CallMeta): string => uuidOf(idempotencyKeyOf(meta));

/** Hexadecimal digits at the end of a run's UUID that say whose store it is in. */
const AGENT_DIGITS = 8;
const MINTED_RUN_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** As `uuidOf`, for a run in the store of an agent: a router that never heard of it knows from the id where to ask first. */
export const runIdOf = (text: string, agentId: string): string => uuidOf(text).slice(0, -AGENT_DIGITS) + agentDigits(agentId);

export const runIdOfCall = (meta: CallMeta, agentId: string): string => runIdOf(idempotencyKeyOf(meta), agentId);

/** A hint, no proof: ids of other makers may look the same. */
export const isRunIdOf = (runId: string, agentId: string): boolean => MINTED_RUN_ID.test(runId) && runId.endsWith(agentDigits(agentId));

const agentDigits = (agentId: string): string => digestOf(`agent ${agentId}`).toString('hex').slice(0, AGENT_DIGITS);

const digestOf = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();

function uuidOfBytes(bytes: Buffer): string {
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

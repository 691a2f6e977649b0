/** What a writer that would take a store over can find out about its owner without taking it. */
import { hostname } from 'node:os';
import { SessionError } from '@sessions/domain';
import { storeLayout } from '../files/layout';
import { isStoreHeld, readOwnerSync, type OwnerRecord } from '../files/owner-file';
import { isProcessAlive, kernelBootId } from '../files/process-identity';

/** Who claims to own a store, as a lease names it. */
export interface ClaimedOwner {
  readonly host: string;
  readonly pid: number;
  readonly epoch: number;
}

/**
 * Epoch of the store's last owner; 0 where there was none, or its record cannot be read: opening the
 * store then takes the epoch from the journal.
 * @param sessionsFile absolute path; need not exist
 */
export function recordedEpoch(agentId: string, sessionsFile: string): number {
  return recordOf(agentId, sessionsFile)?.epoch ?? 0;
}

/**
 * True when that owner is dead beyond doubt: a process of this machine that does not run any more,
 * and nobody holds the store's lock. Processes of another container on this machine cannot be seen
 * from here, but its locks can: where the store's record names the kernel that we run on, a free lock
 * says that its holder is dead, or has closed the store and loses nothing by giving it away. Of
 * another machine nothing is known, so the answer is false. The lock guards the case of two containers that share a host name: their
 * process ids mean nothing to each other, their locks do.
 */
export function isOwnerGone(agentId: string, sessionsFile: string, owner: ClaimedOwner, nativeBinding?: string): boolean {
  const record = recordOf(agentId, sessionsFile);
  if (owner.host !== hostname()) {
    const bootId = kernelBootId();
    const isOfThisKernel = bootId !== undefined && record?.bootId === bootId && record.host === owner.host && record.epoch >= owner.epoch;
    return isOfThisKernel && !mayBeHeld(agentId, sessionsFile, nativeBinding);
  }
  // An older record is another process's, though the number may be the same: then the number alone decides.
  const isItsRecord = record !== undefined && record.host === owner.host && record.pid === owner.pid && record.epoch >= owner.epoch;
  if (isProcessAlive(owner.pid, isItsRecord ? record.startTicks : undefined)) return false;
  return !mayBeHeld(agentId, sessionsFile, nativeBinding);
}

function mayBeHeld(agentId: string, sessionsFile: string, nativeBinding: string | undefined): boolean {
  try {
    return isStoreHeld(storeLayout(agentId, sessionsFile), nativeBinding);
  } catch {
    // A lock that cannot be looked at may be held.
    return true;
  }
}

function recordOf(agentId: string, sessionsFile: string): OwnerRecord | undefined {
  try {
    return readOwnerSync(storeLayout(agentId, sessionsFile).ownerFile);
  } catch (error) {
    if (error instanceof SessionError) return undefined;
    throw error;
  }
}

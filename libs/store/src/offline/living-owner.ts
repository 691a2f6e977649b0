/** Who holds a store, as far as its files and the process table tell; takes no lock to find out. */
import { hostname } from 'node:os';
import { storeLayout } from '../files/layout';
import { readOwnerSync, type OwnerRecord } from '../files/owner-file';
import { isProcessAlive } from '../files/process-identity';

/**
 * The recorded owner while its process runs on this machine. It may have closed the store since:
 * owner.json stays; `isStoreHeld` tells, at the price of trying the lock.
 * @param sessionsFile absolute path; need not exist
 * @throws DAMAGED when the owner record is none
 */
export function livingOwner(agentId: string, sessionsFile: string): OwnerRecord | undefined {
  const owner = readOwnerSync(storeLayout(agentId, sessionsFile).ownerFile);
  return owner !== undefined && owner.host === hostname() && isProcessAlive(owner.pid, owner.startTicks) ? owner : undefined;
}

/**
 * A sync that failed is never asked for again and believed: the kernel has dropped the dirty mark.
 * OUTCOME_UNKNOWN ends the store; its next opening does the work of the journal anew.
 */
import { SessionError } from '@sessions/domain';

/** @throws OUTCOME_UNKNOWN */
export async function believeSync(where: string, sync: Promise<void>): Promise<void> {
  try {
    await sync;
  } catch (cause) {
    throw new SessionError('OUTCOME_UNKNOWN', `a sync failed in ${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause, facts: { path: where } });
  }
}

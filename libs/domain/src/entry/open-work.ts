/**
 * Members of an entry that hold work which has not ended: turns, deliveries, a compaction, approvals. They are
 * journalled with the entry, stand in `sessions.json` and survive the loss of everything derived; the
 * index only marks the entries that have one, so that an owner finds them when it opens the store.
 */

/** Runs that were accepted and have not ended, in their order. */
export const RUNS_MEMBER = 'openRuns';
/** Messages on their way out of the session that nobody has acknowledged. */
export const DELIVERIES_MEMBER = 'openDeliveries';
/** The one compaction that was asked for. */
export const COMPACTION_MEMBER = 'pendingCompaction';

/** What was asked for and waits for an operator's word, or was granted and is being done. */
export const APPROVALS_MEMBER = 'openApprovals';

export const OPEN_WORK_MEMBERS = [RUNS_MEMBER, DELIVERIES_MEMBER, COMPACTION_MEMBER, APPROVALS_MEMBER] as const;

/** Places for sub-agents that are being made. */
export const CHILD_CLAIMS_MEMBER = 'childClaims';
/** Run that has called `sessions_yield` and has not ended. */
export const YIELDING_MEMBER = 'yieldingRun';
/** Messages whose answer comes with a sub-agent's result. */
export const YIELDED_MEMBER = 'yieldedTurns';

/** Made by work, and untrue where the work is not; no owner has to look for them. */
export const WORK_NOTE_MEMBERS = [CHILD_CLAIMS_MEMBER, YIELDING_MEMBER, YIELDED_MEMBER] as const;

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

/**
 * Names that nobody outside may give to what he asks for. The ids of runs that follow a run, and the keys
 * under which the system keeps what it must do once, are worked out from what is known to many: whoever
 * took one beforehand would be answered, and what it stands for would count as done. Pure.
 */

/** Ends of ids that `followUpRunId` makes. */
const FOLLOW_UP = /\.(?:reply\.\d+|announce|result)$/;
/** Begin keys of the owner, of the hand-over between sessions, and of the tools of a run. */
const OWN_KEYS = [
  'run-end:', 'run-lost:', 'run-tool:', 'delivery-end:', 'trace-cost:', 'trace-agent:', 'compaction-end:', 'approval-end:',
  'child-ended:', 'child-fork:', 'hand-over:', 'handed:',
] as const;

/** Why a client cannot have this run id; undefined: it can. */
export function reservedRunId(runId: string): string | undefined {
  const end = FOLLOW_UP.exec(runId)?.[0];
  return end === undefined ? undefined : `ids that end in "${end}" are those of the runs that follow another one`;
}

/** Why a client cannot have this idempotency key; undefined: it can. */
export function reservedKey(key: string): string | undefined {
  const begin = OWN_KEYS.find((one) => key.startsWith(one));
  return begin === undefined ? undefined : `keys that begin with "${begin}" are the system's own`;
}

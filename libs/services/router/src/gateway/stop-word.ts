/** What the owner calls the end of a run that somebody stopped: clients of the protocol know one word for all of it. */
const BY_SOMEBODY: ReadonlySet<string> = new Set(['abort', 'aborted', 'cancelled', 'interrupted', 'kill', 'steer', 'stop']);

/** @param stopReason of a run that was aborted; undefined: not known */
export const stopWord = (stopReason: string | undefined): string => (stopReason === undefined || BY_SOMEBODY.has(stopReason) ? 'rpc' : stopReason);

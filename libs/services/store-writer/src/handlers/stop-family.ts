/** Stops the runs of a session and, where asked, those of the sessions that it has spawned. */
import type { OpenAgentStore, OwnedAgent } from '../owned-agent';
import { stopRuns, type StoppedRuns } from '../stop-runs';
import { childrenOf } from './children-of';

export interface StopFamily {
  /** As stored. */
  readonly key: string;
  readonly reason: string;
  /** Undefined: every run of the key. */
  readonly runId?: string | undefined;
  /** Children too. */
  readonly cascade: boolean;
}

/** @returns the session's own first, then those of its children. */
export async function stopFamily(agent: OwnedAgent, open: OpenAgentStore, { key, reason, runId, cascade }: StopFamily): Promise<readonly StoppedRuns[]> {
  const stopped = [await stopRuns(agent, open, { key, reason, runId, queuedToo: true })];
  const ofChildren = reason === 'abort' || reason === 'stop' ? 'parent' : reason;
  for (const child of cascade ? await childrenOf(open, key) : []) stopped.push(await stopRuns(agent, open, { key: child, reason: ofChildren, queuedToo: true }));
  return stopped;
}

/** Runs that were stopped or told to. */
export function countStopped(stopped: readonly StoppedRuns[]): number {
  return stopped.reduce((sum, { cancelledRunIds, stoppingRunId }) => sum + cancelledRunIds.length + (stoppingRunId === undefined ? 0 : 1), 0);
}

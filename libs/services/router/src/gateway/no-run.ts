/** What clients that wait for the end of a run are told when none begins. */
import type { GatewayDeps } from './method';

export const NO_RUN = 'The message is kept, but no run starts: no agent runner is connected.';

/** Ends a run that never began, for everybody who waits for it. */
export function announceNoRun(deps: Pick<GatewayDeps, 'broadcast'>, runId: string, sessionKey: string): void {
  deps.broadcast('chat', { runId, sessionKey, seq: 0, state: 'error', errorMessage: NO_RUN });
}

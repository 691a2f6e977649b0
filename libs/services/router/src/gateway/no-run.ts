/** What clients that wait for the end of a run are told when none begins. */
import type { Address } from '../handlers/resolve-address';
import type { GatewayDeps } from './method';

export const NO_RUN = 'The message is kept, but no run starts: no agent runner is connected.';

/** Ends a run that never began, for everybody who waits for it. */
export function announceNoRun(deps: Pick<GatewayDeps, 'broadcast'>, runId: string, { agentId, key }: Address): void {
  deps.broadcast('chat', { runId, sessionKey: key, seq: 0, state: 'error', errorMessage: NO_RUN }, agentId);
}

/** What clients that wait for the end of a run are told when none begins. */
import type { Address } from '../handlers/resolve-address';
import type { GatewayDeps } from './method';

export const NO_RUN = 'The message is kept, but no run starts: no agent runner is connected.';

/** Ends a run that never began, for everybody who waits for it. */
export function announceNoRun(deps: Pick<GatewayDeps, 'broadcast'>, runId: string, { agentId, key }: Address): void {
  deps.broadcast('chat', { runId, sessionKey: key, seq: 0, state: 'error', errorMessage: NO_RUN }, agentId);
}

/** What a command came to, as the answer of a run that needed no model. */
export function announceReply(deps: Pick<GatewayDeps, 'broadcast' | 'clock'>, runId: string, { agentId, key }: Address, text: string): void {
  const message = { role: 'assistant', content: [{ type: 'text', text }], timestamp: deps.clock.nowMs() };
  deps.broadcast('chat', { runId, sessionKey: key, seq: 1, state: 'final', stopReason: 'stop', message }, agentId);
}

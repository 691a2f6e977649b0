import { agentSettings } from '../config/agents';
import type { SessionConfig } from '../config/parse-config';
import type { AgentId } from '../ids';
import { toolRowKind } from '../keys/key-kind';

/** Whether turns of a session run in a sandbox, by `sandbox.mode` of its agent. */
export function isSandboxed(config: SessionConfig, agentId: AgentId, key: string): boolean {
  const { mode } = agentSettings(config, agentId).sandbox;
  return mode === 'all' || (mode === 'non-main' && toolRowKind(key, config.session.mainKey) !== 'main');
}

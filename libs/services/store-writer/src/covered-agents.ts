/** Whom a writer may answer for: `storeWriter.agents` names agents; `*` stands for any characters. */
import { SessionError, type AgentId } from '@sessions/domain';

export function coversAgent(patterns: readonly string[], agentId: AgentId): boolean {
  return patterns.some((pattern) => matches(pattern, agentId));
}

export function notCovered(agentId: AgentId): SessionError {
  return new SessionError('NO_OWNER', `this store-writer does not answer for agent ${agentId}`, {
    facts: { agentId },
    hint: 'storeWriter.agents in the configuration names the agents',
  });
}

function matches(pattern: string, agentId: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[^a-z0-9_-]/gi, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`));
  return new RegExp(`^${parts.join('.*')}$`, 'u').test(agentId);
}

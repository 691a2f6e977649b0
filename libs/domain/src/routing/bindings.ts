/** Which agent answers a message: an explicit choice, the most specific binding, or the default. */
import { configuredAgents } from '../config/agents';
import type { SessionConfig } from '../config/parse-config';
import { SessionError } from '../errors';
import type { AgentId } from '../ids';
import type { InboundEnvelope } from '../inbound/envelope';
import { slugAccountId, slugAgentId } from '../keys/slug-id';

/** How specific a match is, most specific first. */
export const BINDING_LEVELS = ['peer', 'peer.parent', 'guild', 'team', 'account', 'channel'] as const;
export type BindingLevel = (typeof BINDING_LEVELS)[number];
/** What chose the agent; `explicit` is the message itself. */
export type MatchedBy = BindingLevel | 'default' | 'explicit';

export interface AgentChoice {
  readonly agentId: AgentId;
  readonly matchedBy: MatchedBy;
}

type Binding = SessionConfig['bindings'][number];

/**
 * Chooses the agent. Ties of equally specific bindings go to the earliest entry.
 * @throws AGENT_UNKNOWN when the message names an agent that is not configured.
 */
export function chooseAgent(envelope: InboundEnvelope, config: SessionConfig): AgentChoice {
  const { ids, defaultAgentId } = configuredAgents(config);
  if (envelope.agentId !== undefined) {
    const agentId = slugAgentId(envelope.agentId);
    if (!ids.includes(agentId)) throw new SessionError('AGENT_UNKNOWN', `Unknown agent id "${agentId}"`, { facts: { agentId } });
    return { agentId, matchedBy: 'explicit' };
  }
  const matches = config.bindings.flatMap((binding) => {
    const level = levelOf(binding, envelope);
    return level === undefined ? [] : [{ binding, level }];
  });
  for (const level of BINDING_LEVELS) {
    const match = matches.find((candidate) => candidate.level === level);
    if (match !== undefined) return { agentId: match.binding.agentId, matchedBy: level };
  }
  return { agentId: defaultAgentId, matchedBy: 'default' };
}

/** The level at which all conditions of a binding hold; `undefined` when one does not. */
function levelOf(binding: Binding, envelope: InboundEnvelope): BindingLevel | undefined {
  if (binding.neverMatches || binding.channel !== envelope.channel) return undefined;
  const anyAccount = binding.accountId === undefined || binding.accountId.trim() === '*';
  if (!anyAccount && slugAccountId(binding.accountId ?? '') !== slugAccountId(envelope.accountId)) return undefined;
  if (binding.guildId !== undefined && !sameId(binding.guildId, envelope.guildId)) return undefined;
  if (binding.teamId !== undefined && !sameId(binding.teamId, envelope.teamId)) return undefined;
  if (binding.peer !== undefined) {
    if (isPeer(binding.peer, envelope.chatType, envelope.conversation?.id ?? envelope.sender?.id)) return 'peer';
    return isPeer(binding.peer, envelope.parentPeer?.kind, envelope.parentPeer?.id) ? 'peer.parent' : undefined;
  }
  if (binding.guildId !== undefined) return 'guild';
  if (binding.teamId !== undefined) return 'team';
  return anyAccount ? 'channel' : 'account';
}

function isPeer(peer: NonNullable<Binding['peer']>, kind: string | undefined, id: string | undefined): boolean {
  return peer.kind === kind && sameId(peer.id, id);
}

/** Ids are compared as keys fold them: without blanks around them, in any case. */
function sameId(left: string, right: string | undefined): boolean {
  return left.trim().toLowerCase() === right?.trim().toLowerCase();
}

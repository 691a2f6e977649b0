/**
 * Brings agents to the writer that should have them, when writers have joined or left.
 *
 * The member that an agent should move to is asked first, by the same claim that it will get
 * afterwards: while the lease is held here it can only answer with the present owner, or refuse
 * because it does not cover the agent, or be dead. Only then is the agent handed over and claimed
 * there. A move that stops half-way leaves an agent without owner, which the next call heals.
 */
import { SessionError, planRebalance, type AgentId, type Move } from '@sessions/domain';
import type { Logger } from '@sessions/host';
import type { HeldAgents } from './held-agents';
import type { WriterMembers } from './writer-members';

/** Agents that one writer moves at a time: each is without owner for a moment. */
export const MOVES_MAX = 2;
/** Time for a member to answer whether it would take an agent. */
export const ASK_MS = 2_000;

export interface RebalancingDeps {
  readonly logger: Logger;
  readonly members: WriterMembers;
  readonly held: HeldAgents;
  /** `<name>/<instance>` of this writer. */
  readonly owner: string;
  readonly instance: string;
}

export class Rebalancing {
  readonly #deps: RebalancingDeps;
  /** Agents that their member does not take, until other members are seen. */
  #refused = new Set<AgentId>();
  #seen = '';

  constructor(deps: RebalancingDeps) {
    this.#deps = deps;
  }

  /** One bounded step towards everything being in its place. @throws when the members cannot be read */
  async run(): Promise<void> {
    const { members, held, instance } = this.#deps;
    const present = await members.list();
    const seen = present.join('\n');
    if (seen !== this.#seen) this.#refused = new Set();
    this.#seen = seen;
    const mine = held.ids.filter((agentId) => !this.#refused.has(agentId));
    await Promise.all(planRebalance({ mine, members: present, self: instance, movesMax: MOVES_MAX }).map((move) => this.#move(move)));
  }

  async #move(move: Move): Promise<void> {
    const { logger, members, held, owner } = this.#deps;
    const { to } = move;
    const agentId = move.agentId as AgentId;
    const there = members.at(to);
    try {
      const asked = await there.claimStore({ agentId }, { timeoutMs: ASK_MS });
      if (asked.owner !== owner) return;
    } catch (error) {
      if (error instanceof SessionError) this.#refused.add(agentId);
      logger.info('an agent stays: the writer that should have it does not take it', { agentId, member: to, err: error });
      return;
    }
    await held.leave(agentId);
    try {
      const { epoch } = await there.claimStore({ agentId });
      logger.info('an agent was moved', { agentId, member: to, epoch });
    } catch (err) {
      logger.warn('an agent was handed over and not taken; the next call has it claimed', { agentId, member: to, err });
    }
  }
}

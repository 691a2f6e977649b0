/**
 * Writers with volumes of their own: which of them has an agent's files.
 *
 * Every writer answers for itself on its own subject (`writer-members.ts`): one that has the files
 * takes the agent or names its owner, one that has not says so. A claim is passed on by exactly one
 * writer, the one that the pool chose, so nothing goes round in circles.
 *
 * A writer that does not answer may have the files. Nobody makes a store then: two stores of one
 * agent would be worse than none for a while.
 */
import type { AgentInfo, ClaimStoreResponse } from '@sessions/contracts';
import { SessionError, rankOwners, type AgentId } from '@sessions/domain';
import type { WriterMembers } from './writer-members';

/** Time for another writer to answer. */
export const PEER_ANSWER_MS = 8_000;
const COME_AGAIN_MS = 2_000;
/** Fact of a refusal: the writer lives, and this agent is not for it. */
const NOT_HERE = 'notHere';

export type PeerAnswers = { readonly answer: ClaimStoreResponse } | { readonly answer: undefined; readonly silent: readonly string[] };

/** What a writer answers on its own subject when the agent is not its to take. */
export function notHere(agentId: AgentId, instance: string): SessionError {
  return new SessionError('NO_OWNER', `the files of agent ${agentId} are not with store-writer ${instance}`, { facts: { agentId, [NOT_HERE]: true } });
}

export function writerAway(agentId: AgentId, silent: readonly string[]): SessionError {
  return new SessionError('NO_OWNER', `the writer that keeps the files of agent ${agentId} is away`, {
    facts: { agentId, silent: silent.join(',') },
    hint: `storeWriter.volume is own: an agent is served where its files are; start ${silent.join(', ')}, or take it out of storeWriter.writers`,
    retryAfterMs: COME_AGAIN_MS,
  });
}

/** Asks the others one after another, the one that should have the agent first. */
export async function askPeers(members: WriterMembers, agentId: AgentId, peers: readonly string[]): Promise<PeerAnswers> {
  const silent: string[] = [];
  let refusal: SessionError | undefined;
  for (const peer of rankOwners(agentId, peers)) {
    try {
      return { answer: await members.at(peer).claimStore({ agentId }, { timeoutMs: PEER_ANSWER_MS }) };
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      if (error.facts[NOT_HERE] === true) continue;
      // One that has the files and cannot open them: no other has a better answer.
      if (error.reason !== 'NO_OWNER' && error.reason !== 'SHUTTING_DOWN' && error.reason !== 'DEADLINE') refusal ??= error;
      silent.push(peer);
    }
  }
  if (refusal !== undefined) throw refusal;
  return { answer: undefined, silent };
}

/** The agents of all writers. One that is away may have those that nobody shows: they count as having a store. */
export async function mergeAgents(own: readonly AgentInfo[], members: WriterMembers, peers: readonly string[]): Promise<AgentInfo[]> {
  const answers = await Promise.all(
    peers.map((peer) =>
      members.at(peer).listAgents({}, { timeoutMs: PEER_ANSWER_MS / 4 }).then(
        ({ agents }) => agents,
        () => undefined,
      ),
    ),
  );
  const isOneAway = answers.includes(undefined);
  const merged = new Map(own.map((agent) => [agent.agentId, agent]));
  for (const agent of answers.flatMap((agents) => agents ?? [])) {
    const before = merged.get(agent.agentId);
    if (before === undefined || (agent.hasStore && !before.hasStore)) merged.set(agent.agentId, agent);
  }
  return [...merged.values()].map((agent) => (isOneAway && agent.configured ? { ...agent, hasStore: true } : agent));
}

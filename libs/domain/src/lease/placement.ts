/**
 * Which writer an agent should live with, decided alike by everyone who sees the same members.
 *
 * Rendezvous hashing (D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates",
 * 1998): each pair of agent and instance has a weight, the heaviest instance wins. One that joins
 * takes only what it wins, one that leaves gives up only what it had.
 */

// FNV-1a, 32 bits (IETF draft-eastlake-fnv); its high bits are weak for short texts, so the mixing
// steps that end MurmurHash3 (A. Appleby, public domain) follow.
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A number in [0, 2³²) that depends on every character and its place. */
function hash32(text: string): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    hash = Math.imul(hash ^ (unit & 0xff), FNV_PRIME);
    hash = Math.imul(hash ^ (unit >>> 8), FNV_PRIME);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Instances in the order in which they should have the agent; each name counts once. */
export function rankOwners(agentId: string, instances: Iterable<string>): readonly string[] {
  // NUL is in neither name: no two pairs make the same text.
  const weighed = [...new Set(instances)].map((instance) => ({ instance, weight: hash32(`${instance}\u0000${agentId}`) }));
  weighed.sort((one, other) => other.weight - one.weight || (one.instance < other.instance ? -1 : 1));
  return weighed.map(({ instance }) => instance);
}

/** Undefined: there is no instance. */
export function rendezvousOwner(agentId: string, instances: Iterable<string>): string | undefined {
  return rankOwners(agentId, instances)[0];
}

export interface RebalanceFacts {
  /** Agents that this instance owns now. */
  readonly mine: Iterable<string>;
  readonly members: Iterable<string>;
  readonly self: string;
  /** Moves at once. */
  readonly movesMax: number;
}

export interface Move {
  readonly agentId: string;
  readonly to: string;
}

/**
 * Agents to hand over now, and to whom. Nothing moves while this instance is not a member itself:
 * what it sees then is not what the others see.
 */
export function planRebalance({ mine, members, self, movesMax }: RebalanceFacts): readonly Move[] {
  const present = [...new Set(members)];
  if (!present.includes(self)) return [];
  const moves: Move[] = [];
  for (const agentId of [...mine].sort()) {
    if (moves.length >= movesMax) break;
    const to = rendezvousOwner(agentId, present);
    if (to !== undefined && to !== self) moves.push({ agentId, to });
  }
  return moves;
}

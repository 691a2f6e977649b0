import * as fc from 'fast-check';
import { planRebalance, rankOwners, rendezvousOwner } from './placement';

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 8 });
const agents = fc.uniqueArray(fc.stringMatching(/^[a-z0-9]{1,10}$/), { maxLength: 40 });

describe('the placement of agents', () => {
  it('is the same for everyone, in whatever order the members are seen', () => {
    fc.assert(
      fc.property(names, agents, (members, ids) => {
        for (const id of ids) {
          const ranked = rankOwners(id, members);
          expect(rankOwners(id, [...members].reverse())).toEqual(ranked);
          expect([...ranked].sort()).toEqual([...members].sort());
        }
      }),
    );
  });

  it('moves agents only to a member that joins, and only from one that leaves', () => {
    fc.assert(
      fc.property(names, fc.string({ minLength: 13, maxLength: 14 }), agents, (members, joining, ids) => {
        for (const id of ids) {
          const before = rendezvousOwner(id, members);
          const after = rendezvousOwner(id, [...members, joining]);
          expect([before, joining]).toContain(after);
        }
      }),
    );
  });

  it('spreads agents evenly enough', () => {
    const members = ['store-writer/a', 'store-writer/b', 'store-writer/c', 'store-writer/d'];
    const counts = new Map<string, number>();
    for (let number = 0; number < 4_000; number += 1) {
      const owner = rendezvousOwner(`agent-${String(number)}`, members) ?? '';
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    for (const member of members) expect(counts.get(member)).toBeGreaterThan(850);
  });

  it('has nobody where there is nobody', () => {
    expect(rendezvousOwner('main', [])).toBeUndefined();
  });
});

describe('rebalancing', () => {
  it('is bounded, gives away only what another should have, and ends with everything in its place', () => {
    fc.assert(
      fc.property(names, agents, fc.integer({ min: 1, max: 4 }), (members, ids, movesMax) => {
        const owned = new Map(members.map((member) => [member, new Set<string>()]));
        for (const id of ids) owned.get(members[0] ?? '')?.add(id);
        for (let round = 0; round <= ids.length; round += 1) {
          for (const self of members) {
            const mine = owned.get(self) ?? new Set<string>();
            const moves = planRebalance({ mine, members, self, movesMax });
            expect(moves.length).toBeLessThanOrEqual(movesMax);
            for (const { agentId, to } of moves) {
              expect(to).toBe(rendezvousOwner(agentId, members));
              mine.delete(agentId);
              owned.get(to)?.add(agentId);
            }
          }
        }
        for (const [member, mine] of owned) for (const id of mine) expect(rendezvousOwner(id, members)).toBe(member);
      }),
    );
  });

  it('moves nothing while this instance is not among the members', () => {
    expect(planRebalance({ mine: ['a', 'b'], members: ['x'], self: 'y', movesMax: 2 })).toEqual([]);
  });
});

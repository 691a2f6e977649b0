import type { JsonObject } from '@sessions/domain';
import type { MutationView } from '@sessions/store';
import { CHILD_CLAIM_MS, decideClaimChild, decideReleaseChild, endedClaim } from './child-claims';

const KEY = 'agent:main:main';
const child = (name: string): string => `agent:main:subagent:${name}`;

/** The entry of a session over several mutations. */
class Entry {
  nowMs = 1_000_000;
  members: JsonObject = { sessionId: '0190aaaa-0000-7000-8000-000000000001', updatedAt: 1 };

  get view(): MutationView {
    return { nowMs: this.nowMs, entry: (key: string) => (key === KEY ? { key, text: JSON.stringify(this.members) } : undefined) } as unknown as MutationView;
  }

  claim(name: string, seen: { active?: string[]; ended?: string[] } = {}): number {
    const { decision } = decideClaimChild({ key: KEY, childKey: child(name), childrenMax: 2, activeKeys: (seen.active ?? []).map(child), endedKeys: (seen.ended ?? []).map(child) }, this.view);
    this.#apply(decision.effects);
    return decision.result.active;
  }

  release(name: string): boolean {
    const { decision } = decideReleaseChild({ key: KEY, childKey: child(name) }, this.view);
    this.#apply(decision.effects);
    return decision.result.released;
  }

  #apply(effects: readonly unknown[]): void {
    for (const effect of effects as { set: JsonObject; clear?: string[] }[]) {
      const kept = Object.entries(this.members).filter(([name]) => effect.clear?.includes(name) !== true);
      this.members = { ...Object.fromEntries(kept), ...effect.set };
    }
  }
}

describe('places of sub-agents', () => {
  it('are taken before a row can be read, once a sub-agent', () => {
    const entry = new Entry();
    expect(entry.claim('a')).toBe(1);
    expect(entry.claim('a')).toBe(1);
    expect(entry.claim('b')).toBe(2);
    expect(() => entry.claim('c')).toThrow('2 of 2');
    // A row and its place are one.
    expect(() => entry.claim('c', { active: ['a', 'b'] })).toThrow('2 of 2');
  });

  it('are free again when a sub-agent has ended, was not made, has told its result, or nobody can be making it any more', () => {
    const entry = new Entry();
    entry.claim('a');
    entry.claim('b');
    expect(entry.claim('c', { active: ['b'], ended: ['a'] })).toBe(2);
    expect([entry.release('c'), entry.release('c')]).toEqual([true, false]);
    expect(entry.claim('d')).toBe(2);
    const told = endedClaim(entry.members, { sourceTool: 'sessions_spawn', sourceSessionKey: child('b') });
    expect(told.set).toEqual({ childClaims: [{ key: child('d'), at: entry.nowMs }] });
    expect(endedClaim(entry.members, { sourceTool: 'sessions_send', sourceSessionKey: child('b') })).toEqual({ set: {}, clear: [] });
    entry.nowMs += CHILD_CLAIM_MS;
    expect(entry.claim('e')).toBe(1);
    expect(() => entry.claim('f', { active: ['x', 'y'] })).toThrow('3 of 2');
  });
});

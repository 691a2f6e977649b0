/** Whoever passes scopes on, nobody gets more than the least of them. */
import fc from 'fast-check';
import { agentWords, heldScopes, holdsScope, narrowScopes, SCOPE, seesAgent } from './scopes';

const AGENTS = ['a', 'b', 'c'];
const words = fc
  .tuple(fc.subarray(Object.values(SCOPE)), fc.option(fc.subarray(AGENTS), { nil: undefined }))
  .map(([scopes, agents]): readonly string[] => [...scopes, ...agentWords(agents)]);

it.each([
  ['narrowScopes', narrowScopes],
  ['heldScopes', heldScopes],
] as const)('%s gives at most what each side has', (_, narrow) => {
  fc.assert(
    fc.property(words, words, (asked, granted) => {
      const held = narrow(asked, granted);
      for (const scope of Object.values(SCOPE)) if (holdsScope(held, scope)) expect([holdsScope(asked, scope), holdsScope(granted, scope)]).toEqual([true, true]);
      for (const agent of AGENTS) if (seesAgent(held, agent)) expect([seesAgent(asked, agent), seesAgent(granted, agent)]).toEqual([true, true]);
    }),
  );
});

it('keeps a restriction that only one side names', () => {
  expect(seesAgent(narrowScopes(['operator.read', 'agent:a'], ['operator.read']), 'b')).toBe(false);
  expect(seesAgent(heldScopes(['operator.read'], ['operator.read', 'agent:a']), 'b')).toBe(false);
});

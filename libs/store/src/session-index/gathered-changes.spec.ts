/** What waits for the index: the last of several changes of one thing, in the order of the last ones. */
import * as fc from 'fast-check';
import { GatheredChanges } from './gathered-changes';
import type { IndexChange } from './worker-protocol';

const tail = { kind: 'pi', leafId: null, messages: 0, exchanges: 0, bytes: 0 } as unknown as Extract<IndexChange, { kind: 'transcript' }>['tail'];
const change = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), key: fc.constantFrom('a', 'b', 'c'), text: fc.string({ maxLength: 5 }), seq: fc.nat(99) }),
  fc.record({ kind: fc.constant('remove' as const), key: fc.constantFrom('a', 'b', 'c'), seq: fc.nat(99) }),
  fc.record({ kind: fc.constant('transcript' as const), file: fc.constantFrom('a', 'b'), tail: fc.constant(tail) }),
  fc.record({ kind: fc.constant('result' as const), key: fc.constantFrom('a', 'b'), hash: fc.constant('h'), result: fc.constant(null), keepUntilMs: fc.nat(9), seq: fc.nat(99) }),
) as fc.Arbitrary<IndexChange>;

const nameOf = (one: IndexChange): string | undefined =>
  one.kind === 'put' || one.kind === 'remove' ? `entry ${one.key}` : one.kind === 'transcript' ? `transcript ${one.file}` : undefined;

describe('gathered changes', () => {
  it('are the last of each thing and every one that stands for itself, in their order', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const gathered = new GatheredChanges();
        for (const one of changes) gathered.add(one);
        const wanted = changes.filter((one, index) => nameOf(one) === undefined || !changes.slice(index + 1).some((later) => nameOf(later) === nameOf(one)));
        expect(gathered.count).toBe(wanted.length);
        expect(gathered.textLength).toBe(wanted.reduce((sum, one) => sum + (one.kind === 'put' ? one.text.length : 0), 0));
        expect(gathered.take()).toEqual(wanted);
        expect([gathered.count, gathered.textLength, gathered.take()]).toEqual([0, 0, []]);
      }),
    );
  });
});

import fc from 'fast-check';
import { isJsonObject, type JsonObject, type JsonValue } from '@sessions/domain';
import { isSameJson, mergeMembers } from './touch-entry';

const names = fc.constantFrom('a', 'b', 'c', 'd');
const { members } = fc.letrec<{ members: JsonObject; value: JsonValue }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, fc.constantFrom<JsonValue>(null, 1, 'x', true, [1, 2]), tie('members')),
  members: fc.dictionary(names, tie('value'), { maxKeys: 4 }),
}));

function applied(before: JsonObject, patch: JsonObject): JsonObject {
  const { set, clear } = mergeMembers(before, patch);
  const after: Record<string, JsonValue | undefined> = { ...before, ...set };
  for (const name of clear) delete after[name];
  return after;
}

describe('merging members', () => {
  it('once or twice gives the same, and the second time nothing is left to change', () => {
    fc.assert(
      fc.property(members, members, (before, patch) => {
        const after = applied(before, patch);
        expect(mergeMembers(after, patch)).toEqual({ set: {}, clear: [] });
      }),
    );
  });

  it('never touches what the patch does not name, at any depth', () => {
    const untouched = (before: JsonObject, patch: JsonObject, after: JsonObject): boolean =>
      Object.entries(before).every(([name, old]) => {
        const wanted = patch[name];
        if (wanted === undefined) return isSameJson(old, after[name]);
        const now = after[name];
        return !isJsonObject(old) || !isJsonObject(wanted) || (isJsonObject(now) && untouched(old, wanted, now));
      });
    fc.assert(fc.property(members, members, (before, patch) => untouched(before, patch, applied(before, patch))));
  });
});

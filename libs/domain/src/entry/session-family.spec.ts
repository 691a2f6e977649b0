import { FAMILY_IDS_MAX, familyWith } from './session-family';
import { resetEntry } from './reset-entry';
import { restoredEntry } from './restore-entry';
import { rotationOf } from './rotate-entry';
import type { JsonObject } from '../json';

const ids = (count: number): string[] => Array.from({ length: count }, (_, at) => `id-${String(at)}`);
const full: JsonObject = { sessionId: `id-${String(FAMILY_IDS_MAX - 1)}`, updatedAt: 1, usageFamilySessionIds: ids(FAMILY_IDS_MAX) };

it('has each id once, in the order in which they came, and what is no id not at all', () => {
  expect(familyWith(undefined, ['a', 'b'])).toEqual(['a', 'b']);
  expect(familyWith({ usageFamilySessionIds: ['a', 7, 'b', null, 'c'] as never }, ['c', 'a'])).toEqual(['a', 'b', 'c']);
  expect(familyWith({ usageFamilySessionIds: 'a' }, ['b'])).toEqual(['b']);
});

it('is bounded wherever an id comes in: the oldest leave, never the present one or the one before it', () => {
  const before = String(full['sessionId']);
  const grown = [
    rotationOf(full, { key: 'k', before, sessionId: 'new', sessionFile: 'new.jsonl' })['usageFamilySessionIds'],
    resetEntry(full, { key: 'k', reason: 'reset', sessionId: 'new', sessionFile: 'new.jsonl', nowMs: 5 } as never).set['usageFamilySessionIds'],
    restoredEntry({ kind: 'reset', current: full, archived: undefined, sessionId: 'new', sessionFile: 'new.jsonl', nowMs: 5 } as never).set['usageFamilySessionIds'],
  ];
  for (const family of grown as string[][]) {
    expect(family).toHaveLength(FAMILY_IDS_MAX);
    expect(family.slice(-2)).toEqual([before, 'new']);
    expect(family).not.toContain('id-0');
  }
  // One that is brought back stays where it was.
  expect(familyWith(full, ['new', 'id-0'])).toEqual([...ids(FAMILY_IDS_MAX).filter((id) => id !== 'id-1'), 'new']);
});

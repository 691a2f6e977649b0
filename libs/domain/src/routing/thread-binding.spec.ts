import { bindingHolds, boundSessionMember, boundSessionOf, isBoundTo } from './thread-binding';

const HOUR = 3_600_000;
const bound = { sessionKey: 'agent:main:subagent:a', boundAtMs: 1_000, idleHours: 2, maxAgeHours: 0 };

describe('a thread that is bound to a session', () => {
  it('is read as it was written', () => {
    for (const one of [bound, { ...bound, endedAtMs: 5 }]) expect(boundSessionOf({ boundSession: boundSessionMember(one) })).toEqual(one);
    for (const value of [null, 'x', {}, { sessionKey: 'a' }, { boundAt: 4 }]) expect(boundSessionOf({ boundSession: value })).toBeUndefined();
  });

  it.each([
    ['just bound', bound, undefined, 0, true],
    ['silent since', bound, undefined, 2 * HOUR, false],
    ['spoken with since', bound, 1_000 + HOUR, 2 * HOUR, true],
    ['spoken with before', bound, 1, 2 * HOUR, false],
    ['without an idle time', { ...bound, idleHours: 0 }, undefined, 1_000 * HOUR, true],
    ['too old', { ...bound, idleHours: 0, maxAgeHours: 3 }, 1_000 + 3 * HOUR, 3 * HOUR, false],
    ['unbound', { ...bound, endedAtMs: 2_000 }, undefined, 0, false],
  ] as const)('holds as long as it should: %s', (_name, binding, lastAtMs, afterMs, holds) => {
    expect(bindingHolds(binding, lastAtMs, 1_000 + afterMs)).toBe(holds);
  });

  it('is known by both sides', () => {
    const entry = { threadBinding: { channel: 'discord', to: '9911', threadId: '77' } };
    expect(isBoundTo(entry, { channel: 'discord', to: '9911', accountId: 'default', threadId: '77' })).toBe(true);
    for (const other of [{ threadId: '78' }, { to: '1' }, { accountId: 'work' }, { channel: 'slack' }]) expect(isBoundTo(entry, { channel: 'discord', to: '9911', threadId: '77', ...other })).toBe(false);
    expect(isBoundTo({}, { channel: 'discord', to: '9911', threadId: '77' })).toBe(false);
  });
});

import fc from 'fast-check';
import { nativeEntries, oddEntries, simpleEntries } from '../testing/entry-arbitraries';
import { instantOf, parseEntry, type ParsedEntry } from './entry';

const listed = (value: unknown): Extract<ParsedEntry, { listed: true }> => {
  const entry = parseEntry(value);
  if (!entry.listed) throw new Error(entry.why);
  return entry;
};

describe('a value under a key', () => {
  it.each([
    [[], 'not-an-object'], ['x', 'not-an-object'], [null, 'not-an-object'], [5, 'not-an-object'],
    [{}, 'no-session-id'], [{ updatedAt: 5 }, 'no-session-id'], [{ sessionId: null }, 'no-session-id'],
    [{ sessionId: 5 }, 'unsafe-session-id'], [{ sessionId: 5, uuid: 'u' }, 'unsafe-session-id'], [{ sessionId: '' }, 'unsafe-session-id'], [{ uuid: 7 }, 'unsafe-session-id'],
    [{ sessionId: 'a/b' }, 'unsafe-session-id'], [{ sessionId: 'a\\b' }, 'unsafe-session-id'], [{ sessionId: '..' }, 'unsafe-session-id'], [{ sessionId: 'a\u0001' }, 'unsafe-session-id'],
    [{ sessionId: 'a'.repeat(256) }, 'unsafe-session-id'],
  ])('%j is not listed: %s', (value, why) => {
    expect(parseEntry(value)).toEqual({ listed: false, why });
  });

  it('is a native entry when it has a session id, else a simple one', () => {
    expect(listed({ sessionId: 's', uuid: 'u' })).toMatchObject({ format: 'native', sessionId: 's', file: 's.jsonl' });
    expect(listed({ uuid: 'u' })).toMatchObject({ format: 'simple', sessionId: 'u', file: 'u.jsonl' });
  });

  it.each(['a:b', 'a@b', 'a'.repeat(255)])('keeps its row without a session id when %s can name no file', (sessionId) => {
    expect(listed({ sessionId })).toMatchObject({ sessionId: null, file: null });
    expect(listed({ sessionId, sessionFile: 'x.jsonl' })).toMatchObject({ sessionId, file: 'x.jsonl' });
  });

  it('takes an absolute sessionFile only inside the directory that is named', () => {
    const value = { sessionId: 's', sessionFile: '/a/agents/other/sessions/x.jsonl' };
    expect(parseEntry(value, '/a/agents/other/sessions')).toMatchObject({ file: 'x.jsonl' });
    expect(parseEntry(value, '/a/agents/main/sessions')).toMatchObject({ file: 's.jsonl' });
  });

  it.each([
    [{ updatedAt: 5 }, 5], [{ updatedAt: 1.5 }, 1], [{ updatedAt: 0 }, 0], [{ updatedAt: -0 }, 0], [{}, null], [{ updatedAt: null }, 0], [{ updatedAt: -1 }, 0], [{ updatedAt: '2026-01-01' }, 0],
    [{ updatedAt: true }, 0], [{ updatedAt: 1e300 }, Number.MAX_SAFE_INTEGER],
  ])('with %j was changed at %s', (members, expected) => {
    expect(listed({ sessionId: 's', ...members }).updatedAtMs).toBe(expected);
  });

  it('of the simple format was changed when it was last active', () => {
    expect(listed({ uuid: 'u', lastActive: '2026-04-09T16:12:40Z' }).updatedAtMs).toBe(Date.UTC(2026, 3, 9, 16, 12, 40));
    expect(listed({ uuid: 'u', lastActive: 'yesterday' }).updatedAtMs).toBeNull();
    expect(listed({ uuid: 'u', lastActive: '2026-04-09T16:12:40Z', updatedAt: 7 }).updatedAtMs).toBe(7);
  });

  it('is judged without throwing, whatever it is; a listed one has what a list needs', () => {
    fc.assert(
      fc.property(fc.oneof(nativeEntries, simpleEntries, oddEntries), (value) => {
        const entry = parseEntry(value);
        if (!entry.listed) return;
        expect(entry.members).toBe(value);
        expect(entry.updatedAtMs === null || (Number.isSafeInteger(entry.updatedAtMs) && entry.updatedAtMs >= 0)).toBe(true);
        expect(entry.file === null || !entry.file.includes('..')).toBe(true);
        expect(entry.sessionId === null).toBe(entry.file === null);
      }),
    );
  });
});

describe('an instant', () => {
  it('is read from ISO text only', () => {
    expect(instantOf('2026-04-02T07:30:00Z')).toBe(Date.UTC(2026, 3, 2, 7, 30));
    expect([instantOf(5), instantOf(''), instantOf('soon'), instantOf('5'), instantOf(undefined)]).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });
});

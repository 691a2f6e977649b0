import { isDurablePointer, isMainKey } from './protection';
import { maintenanceFacts, rowProtections } from './maintenance-facts';
import { parseStoreFile, unreferencedClass } from './store-files';

const NOW_MS = Date.UTC(2026, 5, 15, 12);
const OLD = NOW_MS - 90 * 86_400_000;
const protections = (key: string, members: object = {}, { isHeld = false, named = [] as string[] } = {}) =>
  rowProtections(key, maintenanceFacts(key, { sessionId: 's', updatedAt: OLD, lastInteractionAt: OLD, ...members }), { nowMs: NOW_MS, isHeld, named });

describe('rowProtections', () => {
  it.each([
    ['agent:main:main', ['main']],
    ['global', ['main']],
    ['agent:main:telegram:group:5', ['pointer']],
    ['agent:main:telegram:work:group:5', ['pointer']],
    ['agent:main:slack:channel:c', ['pointer']],
    ['agent:main:teams:room:r', ['pointer']],
    ['agent:main:telegram:direct:1:topic:2', ['pointer']],
    ['agent:main:telegram:work:direct:1:topic:2', ['pointer']],
    ['agent:main:main:thread:9', ['pointer']],
    ['agent:main:discord:group:heartbeat', ['pointer']],
    ['agent:main:discord:group:5:heartbeat', []],
    ['agent:main:main:heartbeat', []],
    ['agent:main:telegram:direct:1', []],
    ['agent:main:subagent:x:thread:1', []],
    ['agent:main:acp:x:topic:1', []],
    ['agent:main:acp-bridge:x:group:1', []],
    ['agent:main:cron:job:thread:1', []],
    ['agent:main:hook:group:1', []],
    ['hook:gmail:group:1', []],
    ['agent:main:node-1:thread:2', []],
    ['agent:main:custom:a:b:c:group:7', ['pointer']],
  ])('%s: %j', (key, expected) => expect(protections(key)).toEqual(expected));

  it('knows places by the entry too', () => {
    expect(protections('agent:main:x', { chatType: 'group' })).toEqual(['pointer']);
    expect(protections('agent:main:x', { origin: { chatType: 'thread' } })).toEqual(['pointer']);
    expect(protections('agent:main:subagent:x', { chatType: 'group' })).toEqual([]);
    expect(isDurablePointer({ key: 'agent:main:x', chatType: 'direct' })).toBe(false);
    expect(isMainKey('agent:main:main:thread:1')).toBe(false);
  });

  it('knows what is in use', () => {
    expect(protections('agent:main:subagent:x', { status: 'running', pendingFinalDelivery: true }, { isHeld: true })).toEqual(['running', 'undelivered', 'held']);
    expect(protections('agent:main:x', { openRuns: [{}], openDeliveries: [{}] })).toEqual(['running', 'undelivered']);
    expect(protections('agent:main:x', { pendingCompaction: {} })).toEqual(['running']);
    expect(protections('agent:main:x', { openRuns: [], openDeliveries: [] })).toEqual([]);
    expect(protections('agent:main:x', { updatedAt: NOW_MS - 300_000 })).toEqual(['recent']);
    expect(protections('agent:main:x', { updatedAt: NOW_MS - 300_001 })).toEqual([]);
    expect(protections('agent:main:x', { lastInteractionAt: NOW_MS })).toEqual(['recent']);
    for (const updatedAt of [undefined, null, 0, -1, '2020-01-01', Number.NaN, NOW_MS + 1]) expect(protections('agent:main:x', { updatedAt })).toEqual(['recent']);
  });

  it('knows the named key in any spelling', () => {
    expect(protections('agent:main:telegram:dm:5', {}, { named: ['AGENT:main:telegram:direct:5'] })).toEqual(['named']);
    expect(protections('agent:main:telegram:dm:5', {}, { named: ['agent:main:telegram:direct:6'] })).toEqual([]);
  });
});

const UUID = '0b6c7d10-1111-4222-8333-944455556666';
const STAMP = '2026-06-15T12-00-00.000Z';

describe('parseStoreFile', () => {
  it.each([
    ['abc.jsonl', 'transcript', 'orphan-transcript', ['abc']],
    ['transcripts/abc.jsonl', 'transcript', 'orphan-transcript', ['abc']],
    ['abc-topic-42.jsonl', 'transcript', 'orphan-transcript', ['abc-topic-42', 'abc']],
    [`abc.checkpoint.${UUID}.jsonl`, 'checkpoint', 'orphan-checkpoint', [`abc.checkpoint.${UUID}`, 'abc']],
    ['abc.trajectory.jsonl', 'trajectory', 'orphan-trajectory', ['abc.trajectory', 'abc']],
    ['abc.trajectory-path.json', 'trajectory', 'orphan-trajectory', ['abc']],
    [`abc.jsonl.reset.${STAMP}`, 'archive', 'archive-reset', ['abc']],
    [`abc.trajectory.jsonl.deleted.${STAMP}`, 'archive', 'archive-deleted', ['abc.trajectory', 'abc']],
    [`abc.jsonl.bak.${STAMP}`, 'archive', 'archive-bak', ['abc']],
    ['sessions.json.bak.1718450000000', 'index-backup', 'archive-bak', []],
    [`sessions.json.123.${UUID}.tmp`, 'temp', 'stale-temp', []],
    [`sessions.json.${UUID}.tmp`, 'temp', 'stale-temp', []],
    [`skills-prompts/sha256/ab/${'a'.repeat(64)}.txt`, 'prompt-blob', 'orphan-prompt-blob', []],
    ['abc.jsonl.corrupt-2026-01-01T00-00-00.000Z-deadbeef.jsonl', 'transcript', 'orphan-transcript', ['abc.jsonl.corrupt-2026-01-01T00-00-00.000Z-deadbeef', 'abc.jsonl', 'abc']],
  ] as const)('%s', (name, kind, fileClass, sessionIds) => expect(parseStoreFile(name)).toMatchObject({ kind, fileClass, sessionIds }));

  it.each(['sessions.json', 'abc.jsonl.lock', '.store/journal-1.log', 'notes.txt', 'sub/dir/x.jsonl', '../x.jsonl', '.hidden.jsonl', 'transcripts/', ''])('does not touch %j', (name) => expect(parseStoreFile(name)).toBeUndefined());

  it('counts a file as referenced by any id it could be of, or by its name', () => {
    expect(unreferencedClass('a-topic-b.jsonl', (id) => id === 'a-topic-b')).toBeUndefined();
    expect(unreferencedClass('a-topic-b.jsonl', (id) => id === 'a')).toBeUndefined();
    expect(unreferencedClass('a.jsonl', (id) => id === 'a.jsonl')).toBeUndefined();
    expect(unreferencedClass('a.jsonl', () => false)).toBe('orphan-transcript');
    expect(unreferencedClass(`a.jsonl.reset.${STAMP}`, () => false)).toBeUndefined();
    expect(unreferencedClass(`sessions.json.${UUID}.tmp`, () => true)).toBe('stale-temp');
  });
});

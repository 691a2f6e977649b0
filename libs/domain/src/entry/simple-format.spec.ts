import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../json';
import { nativeEntries, simpleEntries } from '../testing/entry-arbitraries';
import { formatEntry, patchRawObject } from './raw-object';
import { nativeView, newSimpleEntry, syncSimpleMembers, syncedPatch, type MemberChange } from './simple-format';

const AT = Date.UTC(2026, 3, 9, 16, 12, 40);
const SIMPLE = {
  uuid: 'u-1', created: '2026-04-02T07:30:00Z', lastActive: '2026-04-09T16:12:40Z', messageCount: 5,
  state: { model: 'anthropic/claude-sonnet-4', modelOverride: 'openai/gpt-5', activationMode: 'mention', lastCompaction: null, memoryFlushed: true, own: 1 },
};
const NATIVE = { sessionId: 'u-1', updatedAt: AT };

function patched(entry: JsonObject, change: MemberChange): JsonObject {
  const text = formatEntry(entry);
  return JSON.parse(patchRawObject(text, syncedPatch(text, change))) as JsonObject;
}

describe('a simple entry', () => {
  it('is read under native names', () => {
    expect(nativeView(SIMPLE)).toMatchObject({
      sessionId: 'u-1', sessionStartedAt: Date.UTC(2026, 3, 2, 7, 30), lastInteractionAt: AT, updatedAt: AT, messageCount: 5, modelProvider: 'anthropic', model: 'claude-sonnet-4',
      providerOverride: 'openai', modelOverride: 'gpt-5', groupActivation: 'mention', memoryFlushCompactionCount: 0,
    });
    expect(nativeView(SIMPLE)).not.toHaveProperty('lastCompactionAt');
  });

  it('stays only simple when it changes', () => {
    const after = patched(SIMPLE, { set: { sessionId: 'u-2', updatedAt: AT + 1, lastInteractionAt: AT + 1, sessionStartedAt: AT, label: 'x', modelProvider: 'z', model: 'y', groupActivation: 'always', lastCompactionAt: AT } });
    expect(after).toEqual({
      uuid: 'u-2', created: '2026-04-09T16:12:40.000Z', lastActive: '2026-04-09T16:12:40.001Z', messageCount: 5, label: 'x',
      state: { ...SIMPLE.state, model: 'z/y', activationMode: 'always', lastCompaction: '2026-04-09T16:12:40.000Z' },
    });
  });

  it('says null for an override that is cleared', () => {
    expect(patched(SIMPLE, { set: {}, clear: ['providerOverride', 'modelOverride', 'modelOverrideSource'] })).toEqual({ ...SIMPLE, state: { ...SIMPLE.state, modelOverride: null } });
  });

  it('has flushed its memory while no compaction came after', () => {
    const compacted = patched(SIMPLE, { set: { compactionCount: 1 } });
    expect(compacted['state']).toMatchObject({ memoryFlushed: false });
    expect(patched(compacted, { set: { memoryFlushCompactionCount: 1 } })['state']).toMatchObject({ memoryFlushed: true });
  });

  it('gets a state when it has none', () => {
    expect(patched({ uuid: 'u' }, { set: { model: 'm' } })).toEqual({ uuid: 'u', state: { model: 'm' } });
    expect(patched({ uuid: 'u', state: {} }, { set: { model: 'm' } })).toEqual({ uuid: 'u', state: { model: 'm' } });
  });

  it('keeps the spelling of what stands in its state', () => {
    const text = '{\n    "uuid": "u",\n    "state": {"x": 1.0, "model": "a/b", "y": 1e400}\n  }';
    expect(patchRawObject(text, syncedPatch(text, { set: { modelProvider: 'c', model: 'd' } }))).toBe(text.replace('a/b', 'c/d'));
  });

  it('is made of native members, and read back as them', () => {
    const native = { sessionId: 'u', sessionStartedAt: AT, lastInteractionAt: AT, updatedAt: AT, groupActivation: 'always', label: 'x' };
    const entry = newSimpleEntry(native);
    expect(Object.keys(entry)).toEqual(['uuid', 'created', 'lastActive', 'messageCount', 'state', 'label']);
    expect(entry['state']).toEqual({ modelOverride: null, lastCompaction: null, memoryFlushed: false, activationMode: 'always' });
    expect(nativeView(entry)).toMatchObject(native);
  });
});

describe('an entry in both formats', () => {
  it('changes in both, in the simple members that it has', () => {
    const both = { ...NATIVE, uuid: 'u-1', lastActive: '2026-04-09T16:12:40Z' };
    expect(patched(both, { set: { updatedAt: AT + 1, sessionStartedAt: AT, model: 'm', label: 'x' } })).toEqual({
      ...both, updatedAt: AT + 1, lastActive: '2026-04-09T16:12:40.001Z', sessionStartedAt: AT, model: 'm', label: 'x',
    });
  });
});

describe('a native entry', () => {
  it('gets no simple members', () => {
    expect(patched(NATIVE, { set: { updatedAt: AT + 1, model: 'm' } })).toEqual({ ...NATIVE, updatedAt: AT + 1, model: 'm' });
  });

  it('is read by older names, and keeps them in step', () => {
    const legacy = { ...NATIVE, provider: 'telegram', lastProvider: 'telegram', room: '#a' };
    expect(nativeView(legacy)).toMatchObject({ channel: 'telegram', lastChannel: 'telegram', groupChannel: '#a' });
    expect(patched(legacy, { set: { lastChannel: 'discord' }, clear: ['groupChannel'] })).toEqual({ ...NATIVE, provider: 'telegram', lastProvider: 'discord', lastChannel: 'discord' });
    expect(nativeView({ ...legacy, channel: 'slack' })).toMatchObject({ channel: 'slack', provider: 'telegram' });
  });
});

describe('after any change of any entry', () => {
  const values: Readonly<Record<string, fc.Arbitrary<JsonValue>>> = {
    sessionId: fc.uuid(), sessionStartedAt: fc.integer({ min: 0, max: 2e12 }), groupActivation: fc.constantFrom('mention', 'always'), compactionCount: fc.nat(4),
    lastCompactionAt: fc.integer({ min: 0, max: 2e12 }), messageCount: fc.nat(9), label: fc.string(), lastChannel: fc.constantFrom('telegram', 'slack'),
  };
  const sets = fc.record(values, { requiredKeys: [] });
  const touches = fc.integer({ min: 1.95e12, max: 2e12 }).map((at) => ({ updatedAt: at, lastInteractionAt: at }));

  it('its native view has what was set, and members that nobody set are as they were', () => {
    fc.assert(
      fc.property(fc.oneof(nativeEntries, simpleEntries, fc.tuple(nativeEntries, simpleEntries).map(([a, b]) => ({ ...a, ...b }))), sets, touches, (entry, set, touch) => {
        const before = JSON.parse(JSON.stringify(entry)) as JsonObject;
        const after = patched(before, { set: { ...set, ...touch } });
        expect(nativeView(after)).toMatchObject(JSON.parse(JSON.stringify({ ...set, ...touch })) as object);
        expect(after['unknownMember']).toEqual(before['unknownMember']);
        expect('uuid' in after).toBe('uuid' in before);
        expect('sessionId' in after).toBe('sessionId' in before || (!('uuid' in before) && 'sessionId' in set));
      }),
    );
  });

  it('the members to set, given as values, make the same entry', () => {
    fc.assert(
      fc.property(fc.oneof(nativeEntries, simpleEntries), sets, touches, (entry, set, touch) => {
        const text = formatEntry(entry);
        const wanted = JSON.parse(JSON.stringify({ ...set, ...touch })) as Record<string, JsonValue>;
        expect(JSON.parse(patchRawObject(text, { set: syncSimpleMembers(text, wanted) }))).toEqual(JSON.parse(patchRawObject(text, syncedPatch(text, { set: wanted }))));
      }),
    );
  });
});

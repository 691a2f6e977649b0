/** Creating, patching and appending as decisions. */
import { MemoryStore } from '../testing/memory-store';
import { decideAppend, readGivenLine, type AppendRequest } from './decide-append';
import { decideCreate, type Creation } from './decide-create';
import { decidePatch, type PatchRequest } from './decide-patch';
import { readFieldChanges } from './field-patch';

const KEY = 'agent:main:dashboard:1';
const session = { sessionId: 's-new', cwd: '/w', storeFormat: 'native' } as const;
const creation = (members: Partial<Creation> = {}): Creation => ({ agentId: 'main', key: KEY, fields: {}, session, ownSessionId: false, ...members });
const patch = (members: Partial<PatchRequest> = {}): PatchRequest => ({ agentId: 'main', key: KEY, fields: {}, touch: true, create: false, defaultModel: undefined, session, ...members });

describe('creating', () => {
  it('sets identity and time first, then what was given', () => {
    const store = new MemoryStore();
    store.apply(decideCreate(creation({ fields: { label: 'L', modelOverride: 'm' } }), store.view));
    expect(Object.entries(store.members(KEY))).toEqual([['sessionId', 's-new'], ['sessionFile', 's-new.jsonl'], ['updatedAt', store.nowMs], ['label', 'L'], ['modelOverride', 'm']]);
    expect(store.files.size).toBe(0);
  });

  it('names the transcript of a topic after it', () => {
    const store = new MemoryStore();
    store.apply(decideCreate(creation({ session: { ...session, topicThreadId: '42' } }), store.view));
    expect(store.members(KEY)).toMatchObject({ sessionFile: 's-new-topic-42.jsonl' });
  });

  it('refuses a session id that another key has, or that names no file', () => {
    const store = new MemoryStore();
    store.put('agent:main:main', { sessionId: 's-new', updatedAt: 1 });
    expect(() => decideCreate(creation({ ownSessionId: true }), store.view)).toThrow(expect.objectContaining({ reason: 'ENTRY_CHANGED' }));
    const hostile = creation({ ownSessionId: true, session: { ...session, sessionId: '../x' } });
    expect(() => decideCreate(hostile, store.view)).toThrow(expect.objectContaining({ reason: 'VALIDATION' }));
  });

  it('links a parent under its stored spelling', () => {
    const store = new MemoryStore();
    store.put('agent:main:telegram:dm:1', { sessionId: 'p', updatedAt: 1 });
    store.apply(decideCreate(creation({ parent: { key: 'agent:main:telegram:direct:1', inThisStore: true } }), store.view));
    expect(store.members(KEY)).toMatchObject({ parentSessionKey: 'agent:main:telegram:dm:1' });
  });
});

describe('patching', () => {
  it('without a field moves the time only; without a touch it does nothing at all', () => {
    const store = new MemoryStore();
    store.put(KEY, { sessionId: 's', updatedAt: 1, x: 1 });
    const still = decidePatch(patch({ touch: false }), store.view);
    expect(still.decision.effects).toEqual([]);
    expect(still.announcements).toEqual([]);
    const moved = decidePatch(patch(), store.view);
    store.apply(moved);
    expect(store.members(KEY)).toEqual({ sessionId: 's', updatedAt: store.nowMs, x: 1 });
    expect(moved.announcements).toMatchObject([{ kind: 'changed', reason: 'patch', sessionId: 's' }]);
  });

  it('compares with the entry that is there when it is decided', () => {
    const store = new MemoryStore();
    store.put(KEY, { sessionId: 's', updatedAt: 10 });
    const expecting = patch({ expectedUpdatedAtMs: 10, fields: { verboseLevel: 'on' } });
    store.apply(decidePatch(expecting, store.view));
    expect(() => decidePatch(expecting, store.view)).toThrow(expect.objectContaining({ reason: 'ENTRY_CHANGED' }));
    expect(() => decidePatch(patch({ key: 'agent:main:other', create: true, expectedSessionId: 's' }), store.view)).toThrow(expect.objectContaining({ reason: 'ENTRY_CHANGED' }));
  });

  it('sets what a spawning session recorded only once', () => {
    const key = 'agent:main:subagent:1';
    const store = new MemoryStore();
    store.put(key, { sessionId: 's', updatedAt: 1, spawnedBy: 'agent:main:main' });
    expect(() => decidePatch(patch({ key, fields: { spawnedBy: 'agent:main:other' } }), store.view)).toThrow('spawnedBy cannot be changed once set');
    expect(() => decidePatch(patch({ key, fields: { spawnedBy: null } }), store.view)).toThrow('spawnedBy cannot be cleared once set');
    expect(() => decidePatch(patch({ fields: { spawnedBy: 'x' } }), (store.put(KEY, { sessionId: 't', updatedAt: 1 }), store.view))).toThrow('only supported for subagent');
  });

  it('refuses values that are no JSON and fields that are named twice', () => {
    const field = (name: string, text: string) => ({ name, valueJson: Buffer.from(text) });
    expect(() => readFieldChanges([field('label', '{')])).toThrow(expect.objectContaining({ reason: 'VALIDATION' }));
    expect(() => readFieldChanges([field('label', '"a"'), field('label', '"b"')])).toThrow('named twice');
    expect(() => readFieldChanges([field('__proto__', '{}')])).toThrow('cannot be patched');
  });
});

describe('appending', () => {
  const append = (lines: unknown[], members: Partial<AppendRequest> = {}): AppendRequest => ({
    agentId: 'main',
    key: KEY,
    sessionId: 's',
    lines: lines.map((line, index) => readGivenLine(Buffer.from(JSON.stringify(line)), `0000000${String(index)}`)),
    session: { cwd: '/w' },
    ...members,
  });

  function begun(): MemoryStore {
    const store = new MemoryStore();
    store.put(KEY, { sessionId: 's', updatedAt: 1 });
    return store;
  }

  it('leaves the tip where it is for lines beside the branch, and moves it with a leaf line', () => {
    const store = begun();
    store.apply(decideAppend(append([{ type: 'custom', customType: 'a' }, { type: 'custom', customType: 'side', appendMode: 'side' }]), store.view));
    expect(store.tails.get('s.jsonl')?.leafId).toBe('00000000');
    store.apply(decideAppend(append([{ type: 'leaf', id: 'l', targetId: 'elsewhere' }, { type: 'custom', id: 'next', customType: 'b' }]), store.view));
    expect(store.lines('s.jsonl').at(-1)).toMatchObject({ id: 'next', parentId: 'elsewhere' });
  });

  it('begins a transcript that is not there with its header', () => {
    const store = begun();
    store.apply(decideAppend(append([{ type: 'message', message: { role: 'assistant', content: [] } }]), store.view));
    expect(store.lines('s.jsonl')).toMatchObject([{ type: 'session', id: 's' }, { type: 'message', parentId: null }]);
  });

  it.each([
    ['a line without a type', { text: 'x' }],
    ['a message without a role', { type: 'message', message: {} }],
  ])('refuses %s', (_, line) => {
    expect(() => decideAppend(append([line]), begun().view)).toThrow(expect.objectContaining({ reason: 'VALIDATION' }));
  });

  it.each(['[]', '"x"', '{', '{"type":"session","id":"s"}', '{"type":"custom",\n"a":1}'])('refuses a line that is no record: %j', (text) => {
    expect(() => readGivenLine(Buffer.from(text), 'id')).toThrow(expect.objectContaining({ reason: 'VALIDATION' }));
  });
});

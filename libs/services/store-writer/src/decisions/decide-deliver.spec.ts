import { MemoryStore } from '../testing/memory-store';
import { MessageIgnored, decideDeliver, type Delivery } from './decide-deliver';

const KEY = 'agent:main:telegram:direct:123';

function delivery(text: string, members: Partial<Delivery> = {}): Delivery {
  return {
    agentId: 'main',
    key: KEY,
    role: 'user',
    content: text,
    bookkeeping: false,
    origin: { lastChannel: 'telegram' },
    requireExisting: false,
    mentioned: true,
    beginsSession: false,
    session: { sessionId: `s-${text}`, cwd: '/w', storeFormat: 'native' },
    recordId: Buffer.from(text.padEnd(4).slice(0, 4)).toString('hex'),
    ...members,
  };
}

const deliver = (store: MemoryStore, given: Delivery) => store.apply(decideDeliver(given, store.view));

describe('a delivered message', () => {
  it('changes only the time and what differs in the entry', () => {
    const store = new MemoryStore();
    deliver(store, delivery('a', { origin: { origin: { from: 'x', label: 'A' }, lastTo: '1' } }));
    store.nowMs += 5;
    const planned = decideDeliver(delivery('b', { origin: { origin: { from: 'x', label: 'A' }, lastTo: '1' } }), store.view);
    const put = planned.decision.effects.find((effect) => effect.kind === 'putEntry');
    expect(put).toMatchObject({ set: { lastInteractionAt: store.nowMs, updatedAt: store.nowMs }, clear: [] });
    expect(Object.keys(put?.kind === 'putEntry' ? put.set : {})).toHaveLength(2);
  });

  it('keeps members of origin that it does not know, and removes those that it has not', () => {
    const store = new MemoryStore();
    store.put(KEY, { sessionId: 's', updatedAt: 1, origin: { from: 'x', threadId: '7', ours: 1 }, lastThreadId: '7' });
    deliver(store, delivery('a', { origin: { origin: { from: 'y', threadId: null }, lastThreadId: null } }));
    expect(store.members(KEY)).toMatchObject({ origin: { from: 'y', ours: 1 } });
    expect(store.members(KEY)).not.toHaveProperty('lastThreadId');
    expect(store.members(KEY)['origin']).not.toHaveProperty('threadId');
  });

  it('is ignored where it speaks to somebody else, unless the session listens to all', () => {
    const store = new MemoryStore();
    expect(() => decideDeliver(delivery('a', { mentioned: false }), store.view)).toThrow(MessageIgnored);
    store.put(KEY, { sessionId: 's', updatedAt: 1, groupActivation: 'mention' });
    expect(() => decideDeliver(delivery('a', { mentioned: false }), store.view)).toThrow(MessageIgnored);
    store.put(KEY, { sessionId: 's', updatedAt: 1, groupActivation: 'always' });
    expect(decideDeliver(delivery('a', { mentioned: false }), store.view).decision.result.messageSeq).toBe(1);
  });

  it('does not count as interaction when it is of no person', () => {
    const store = new MemoryStore();
    deliver(store, delivery('a', { bookkeeping: true, origin: {} }));
    expect(store.members(KEY)).not.toHaveProperty('lastInteractionAt');
    deliver(store, delivery('b'));
    const at = store.members(KEY)['lastInteractionAt'];
    store.nowMs += 1000;
    deliver(store, delivery('c', { bookkeeping: true, origin: {} }));
    expect(store.members(KEY)).toMatchObject({ lastInteractionAt: at, updatedAt: store.nowMs });
  });

  it('goes into a transcript of the simple format as a simple line', () => {
    const store = new MemoryStore();
    store.put(KEY, { uuid: 'u-1', created: '2026-04-02T07:30:00Z', lastActive: '2026-04-02T07:30:00Z', messageCount: 1, state: { model: 'a/b' } });
    store.files.set('u-1.jsonl', ['{"role":"user","content":"Any mail?","timestamp":"2026-04-02T07:30:00Z"}']);
    store.tails.set('u-1.jsonl', { kind: 'simple', leafId: null, messages: 1, exchanges: 1, bytes: 80 });
    const answer = deliver(store, delivery('b'));
    expect(answer).toMatchObject({ sessionId: 'u-1', messageSeq: 2, messageId: 'L2', created: false });
    expect(store.lines('u-1.jsonl')[1]).toEqual({ role: 'user', content: 'b', timestamp: new Date(store.nowMs).toISOString() });
    expect(store.members(KEY)).toMatchObject({ uuid: 'u-1', messageCount: 2, lastActive: new Date(store.nowMs).toISOString() });
    expect(store.members(KEY)).not.toHaveProperty('sessionId');
  });

  it('begins a missing transcript again under the same session id, and says so', () => {
    const store = new MemoryStore();
    store.put(KEY, { sessionId: 'old', sessionFile: 'old.jsonl', updatedAt: 1, lastInteractionAt: 1 });
    const planned = decideDeliver(delivery('a'), store.view);
    store.apply(planned);
    expect(store.lines('old.jsonl')).toMatchObject([{ type: 'session', id: 'old', sessionKey: KEY }, { type: 'message' }]);
    expect(planned.announcements[0]).toMatchObject({ kind: 'store', storeKind: 'damage' });
  });

  it('begins a session where the entry names none that can be used', () => {
    const store = new MemoryStore();
    store.put(KEY, { note: 'kept', updatedAt: 1 });
    expect(deliver(store, delivery('a'))).toMatchObject({ sessionId: 's-a', created: false });
    expect(store.members(KEY)).toMatchObject({ note: 'kept', sessionId: 's-a', sessionFile: 's-a.jsonl' });
  });

  it.each(['"text"', '[]', 'null', '{"sessionId":"../../etc/passwd"}'])('writes nothing over a value that is no entry: %s', (text) => {
    const store = new MemoryStore();
    store.entries.set(KEY, text);
    expect(() => decideDeliver(delivery('a'), store.view)).toThrow(expect.objectContaining({ reason: 'DAMAGED' }));
  });

  it('takes the row that changed last where both words for direct chats have one', () => {
    const dm = 'agent:main:telegram:dm:123';
    const store = new MemoryStore();
    store.put(KEY, { sessionId: 'older', updatedAt: 1 });
    store.put(dm, { sessionId: 'newer', updatedAt: 2 });
    for (const key of [KEY, dm]) expect(decideDeliver(delivery('a', { key }), store.view).decision.result).toMatchObject({ sessionKey: dm, sessionId: 'newer' });
  });

  it('never follows a session file out of the store', () => {
    const store = new MemoryStore();
    for (const sessionFile of ['/etc/passwd', '../other/x.jsonl', 'a/../../x.jsonl', '\u0000.jsonl', 'sub/dir/x.jsonl']) {
      store.put(KEY, { sessionId: 's', sessionFile, updatedAt: 1 });
      const append = decideDeliver(delivery('a'), store.view).decision.effects.find((effect) => effect.kind === 'append');
      expect(append).toMatchObject({ file: 's.jsonl' });
    }
  });

  it('begins each run of an isolated job anew, without the routing of the run before', () => {
    const key = 'agent:main:cron:report';
    const store = new MemoryStore();
    const run = (text: string) => delivery(text, { key, origin: {}, bookkeeping: true, beginsSession: true, runRowKey: (id) => `${key}:run:${id}` });
    deliver(store, run('a'));
    store.put(key, { ...store.members(key), thinkingLevel: 'high', sendPolicy: 'deny', lastTo: '1' });
    deliver(store, run('b'));
    expect(store.members(key)).toMatchObject({ sessionId: 's-b', previousSessionId: 's-a', thinkingLevel: 'high' });
    expect(store.members(key)).not.toHaveProperty('sendPolicy');
    expect(store.members(key)).not.toHaveProperty('lastTo');
    expect([...store.entries.keys()]).toEqual([key, `${key}:run:s-a`, `${key}:run:s-b`]);
    expect(store.lines('s-a.jsonl')).toHaveLength(2);
  });

  it('carries a mark when another session sent it', () => {
    const store = new MemoryStore();
    deliver(store, delivery('a', { provenance: { kind: 'inter_session', sourceSessionKey: 'agent:main:main', hops: 1 }, origin: {} }));
    expect(store.lines('s-a.jsonl')[1]).toMatchObject({ message: { provenance: { kind: 'inter_session', hops: 1 } } });
  });
});

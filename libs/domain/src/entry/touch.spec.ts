import { createEntryFields, firstMessageFields, inboundTouchFields } from './touch';

const AT = 1_700_000_000_000;
const ORIGIN = {
  chatType: 'direct',
  origin: { provider: 'telegram', from: 'telegram:1', threadId: null },
  route: { channel: 'telegram', target: { to: 'telegram:1' }, thread: null },
  deliveryContext: { channel: 'telegram', to: 'telegram:1', threadId: null },
  lastChannel: 'telegram',
  lastThreadId: null,
};

describe('a created entry', () => {
  it('has identity and time first, then what was given', () => {
    const fields = createEntryFields({ sessionId: 's', sessionFile: 's.jsonl', nowMs: AT }, { label: 'x', parentSessionKey: undefined, model: null });
    expect(fields).toEqual({ sessionId: 's', sessionFile: 's.jsonl', updatedAt: AT, label: 'x' });
    expect(Object.keys(fields)).toEqual(['sessionId', 'sessionFile', 'updatedAt', 'label']);
  });

  it('gets its start and its origin with the first message, without members that say nothing', () => {
    expect(firstMessageFields(AT, ORIGIN)).toEqual({
      sessionStartedAt: AT, lastInteractionAt: AT, systemSent: false, abortedLastRun: false, chatType: 'direct',
      origin: { provider: 'telegram', from: 'telegram:1' }, route: { channel: 'telegram', target: { to: 'telegram:1' } },
      deliveryContext: { channel: 'telegram', to: 'telegram:1' }, lastChannel: 'telegram',
    });
  });
});

describe('an inbound message to a session that exists', () => {
  it('moves both times and the origin, and clears what it does not have', () => {
    const { set, clear } = inboundTouchFields(AT, ORIGIN);
    expect(set).toMatchObject({ lastInteractionAt: AT, updatedAt: AT, lastChannel: 'telegram', origin: { from: 'telegram:1' } });
    expect(set).not.toHaveProperty('sessionStartedAt');
    expect(clear).toEqual(['lastThreadId']);
  });

  it('without an origin only moves the times', () => {
    expect(inboundTouchFields(AT, {})).toEqual({ set: { lastInteractionAt: AT, updatedAt: AT }, clear: [] });
  });
});

import { SessionError } from '../errors';
import { ATTACHMENTS_BYTES_MAX, ATTACHMENT_BYTES_MAX, base64Bytes } from './attachments';
import { TEXT_BYTES_MAX, parseEnvelope } from './envelope';
import { defaultIdempotencyKey, replyRouteOf } from './reply-route';

const dm = { channel: 'telegram', messageId: '501', chatType: 'direct', sender: { id: '123' }, text: 'Hello' };
const group = { channel: 'telegram', messageId: '77', chatType: 'group', sender: { id: '123' }, conversation: { id: '-100' }, text: 'Hi' };
const cron = { origin: { kind: 'cron' }, cron: { jobId: 'report', runId: 'r1', target: 'isolated' }, text: 'x' };

function refusal(raw: unknown): SessionError {
  try {
    parseEnvelope(raw);
  } catch (error) {
    if (error instanceof SessionError) return error;
    throw error;
  }
  throw new Error('the envelope was accepted');
}

const base64Of = (bytes: number): string => {
  const groups = 'A'.repeat(Math.floor(bytes / 3) * 4);
  return groups + ['', 'AA==', 'AAA='][bytes % 3];
};
const file = (bytes: number): object => ({ name: 'a.png', mimeType: 'image/png', content: base64Of(bytes) });

describe('parseEnvelope', () => {
  it('fills in the defaults of a direct message', () => {
    expect(parseEnvelope(dm)).toEqual({ origin: { kind: 'channel' }, channel: 'telegram', accountId: 'default', messageId: '501', chatType: 'direct', sender: { id: '123', authority: 'allowed' }, text: 'Hello', attachments: [], mentioned: true, deliver: true });
  });

  it('takes every member', () => {
    const full = {
      ...group,
      origin: { kind: 'channel' },
      accountId: 'Work Bot',
      sender: { id: '123', name: 'Ann', username: 'ann', authority: 'owner' },
      conversation: { id: '-100', name: 'Lab', kind: 'supergroup' },
      threadId: '42',
      threadKind: 'topic',
      guildId: '5',
      teamId: 'T9',
      parentPeer: { kind: 'channel', id: '9' },
      attachments: [{ name: 'a.png', mimeType: 'image/png', content: 'AAAA' }],
      replyToMessageId: '70',
      mentioned: true,
      sentAtMs: 1_780_000_000_000,
      replyRoute: { channel: 'slack', to: 'C1', accountId: 'x', threadId: '3' },
      deliver: false,
      agentId: 'ops',
      idempotencyKey: 'k-1',
    };
    expect(parseEnvelope(full)).toEqual({ ...full, attachments: [{ name: 'a.png', mimeType: 'image/png', content: 'AAAA', bytes: 3 }] });
  });

  it('expects a mention in groups unless told', () => {
    expect(parseEnvelope(group).mentioned).toBe(false);
    expect(parseEnvelope(cron).mentioned).toBe(true);
  });

  it('calls a thread a topic on Telegram and a thread elsewhere', () => {
    expect(parseEnvelope({ ...group, threadId: '4' }).threadKind).toBe('topic');
    expect(parseEnvelope({ ...group, channel: 'slack', threadId: '4' }).threadKind).toBe('thread');
    expect(parseEnvelope({ ...group, threadKind: 'topic' }).threadKind).toBeUndefined();
  });

  it.each([
    [{ ...dm, foo: 1 }, 'foo: is not a known member'],
    [{ ...dm, sender: { id: '1', phone: '2' } }, 'sender.phone: is not a known member'],
    [{ ...dm, origin: { kind: 'channel', via: 'x' } }, 'origin.via: is not a known member'],
    [{ ...dm, __proto__: null, constructor: 1 }, 'constructor: is not a known member'],
    [{ ...dm, origin: { kind: 'email' } }, 'origin.kind: must be one of channel, cron, hook, node, webchat'],
    [{ ...dm, channel: 'Telegram' }, 'channel: must match [a-z][a-z0-9_-]{0,31}'],
    [{ ...dm, channel: 'a'.repeat(33) }, 'channel: must match [a-z][a-z0-9_-]{0,31}'],
    [{ ...dm, channel: 'cron' }, 'channel: is a word of the key grammar'],
    [{ ...dm, accountId: 'a'.repeat(129) }, 'accountId: must have at most 128 characters'],
    [{ ...dm, messageId: '' }, 'messageId: must not be empty'],
    [{ ...dm, messageId: 'm'.repeat(257) }, 'messageId: must have at most 256 characters'],
    [{ ...dm, messageId: 5 }, 'messageId: must be a string'],
    [{ ...dm, sender: { id: 'a\u0000b' } }, 'sender.id: must not hold control characters'],
    [{ ...dm, sender: { id: '1', authority: 'admin' } }, 'sender.authority: must be one of owner, allowed, other'],
    [{ ...dm, sender: '123' }, 'sender: must be an object'],
    [{ ...dm, text: '' }, 'text: must not be empty without attachments'],
    [{ ...dm, text: null }, 'text: must be a string'],
    [{ ...dm, sentAtMs: 1.5 }, 'sentAtMs: must be milliseconds since the epoch'],
    [{ ...dm, deliver: 'no' }, 'deliver: must be true or false'],
    [{ ...dm, replyRoute: { channel: 'slack' } }, 'replyRoute.to: is required'],
    [{ ...dm, sessionKey: 'main' }, 'sessionKey: is not allowed for origin channel'],
    [{ ...dm, cron: {} }, 'cron: is only for origin cron'],
    [{ ...dm, chatType: 'group' }, 'conversation: is required for chatType group'],
    [{ ...group, conversation: { id: 'x:topic:1' } }, 'conversation.id: must not hold ":thread:" or ":topic:"'],
    [{ ...group, conversation: {} }, 'conversation.id: is required'],
    [{ ...group, parentPeer: { id: '1' } }, 'parentPeer.kind: is required'],
    [{ ...group, threadKind: 'forum' }, 'threadKind: must be one of topic, thread'],
    [{ ...cron, cron: { jobId: 'a', runId: 'b', target: 'session:' } }, 'cron.target: must be isolated, main or session:<name>'],
    [{ ...cron, cron: { jobId: 'a:run:b', runId: 'b', target: 'main' } }, 'cron.jobId: must not hold ":run:", ":thread:" or ":topic:"'],
    [{ ...cron, cron: { jobId: 'a', target: 'main' } }, 'cron.runId: is required'],
    [{ origin: { kind: 'cron' }, text: 'x' }, 'cron: is required for origin cron'],
    [{ origin: { kind: 'hook' }, text: 'x' }, 'hook: is required for origin hook'],
    [{ origin: { kind: 'node' }, node: {}, text: 'x' }, 'node.nodeId: is required'],
    [{ ...cron, sessionKey: 'lab' }, 'sessionKey: is not allowed for origin cron'],
    [{ ...dm, attachments: {} }, 'attachments: must be a list'],
    [{ ...dm, attachments: [{ name: 'a', mimeType: 'png', content: 'AAAA' }] }, 'attachments[0].mimeType: must be a type such as image/png'],
    [{ ...dm, attachments: [{ name: 'a', mimeType: 'image/png', content: 'AAA' }] }, 'attachments[0].content: must be base64 with padding, not empty'],
  ])('refuses a message with a fault: %#', (raw, problem) => {
    const error = refusal(raw);
    expect([error.reason, error.message]).toEqual(['VALIDATION', `invalid message: ${problem}`]);
  });

  it('takes names as people write them', () => {
    expect(parseEnvelope({ ...group, sender: { id: '1', name: 'Ann\n\u0007B', username: '' }, conversation: { id: '2', name: ' ' } })).toMatchObject({ sender: { name: 'Ann B' }, conversation: { id: '2' } });
    expect(refusal({ ...dm, sender: { id: '1', name: 'n'.repeat(257) } }).message).toBe('invalid message: sender.name: must have at most 256 characters');
    expect(refusal({ ...dm, sender: { id: '1', name: 5 } }).message).toBe('invalid message: sender.name: must be a string');
  });

  it.each([null, [], 'text', 5])('refuses %j', (raw) => {
    expect(refusal(raw).message).toContain('message: must be an object');
  });

  it('names every fault at once and no value', () => {
    const error = refusal({ channel: 'SECRET', text: 5, sender: { id: 's3cret\u0007' }, whatever: 's3cret' });
    expect(error.message).toBe(
      'invalid message: channel: must match [a-z][a-z0-9_-]{0,31}; messageId: is required; chatType: is required; sender.id: must not hold control characters; text: must be a string; whatever: is not a known member',
    );
    expect(error.facts).toEqual({ problems: 6 });
  });

  it('measures text in bytes of UTF-8', () => {
    expect(parseEnvelope({ ...dm, text: '€'.repeat(Math.floor(TEXT_BYTES_MAX / 3)) }).text).toHaveLength(87_381);
    expect(refusal({ ...dm, text: '€'.repeat(Math.floor(TEXT_BYTES_MAX / 3) + 1) }).reason).toBe('TOO_LARGE');
  });

  it('lets attachments stand without text, within their bounds', () => {
    expect(parseEnvelope({ ...dm, text: '', attachments: [file(ATTACHMENT_BYTES_MAX)] }).attachments[0]?.bytes).toBe(ATTACHMENT_BYTES_MAX);
    expect(refusal({ ...dm, attachments: [file(ATTACHMENT_BYTES_MAX + 1)] }).reason).toBe('TOO_LARGE');
    expect(refusal({ ...dm, attachments: Array.from({ length: 11 }, () => file(1)) }).reason).toBe('TOO_LARGE');
    const fullCount = Math.floor(ATTACHMENTS_BYTES_MAX / ATTACHMENT_BYTES_MAX);
    const full = Array.from({ length: fullCount }, () => file(ATTACHMENT_BYTES_MAX));
    expect(parseEnvelope({ ...dm, attachments: full }).attachments).toHaveLength(fullCount);
    expect(refusal({ ...dm, attachments: [...full, file(1)] }).reason).toBe('TOO_LARGE');
  });

  it.each([
    ['AAAA', 3],
    ['AAA=', 2],
    ['AA==', 1],
    ['', 0],
    ['AA=A', undefined],
    ['A===', undefined],
    ['AA-_', undefined],
    ['AAAA\n', undefined],
  ])('counts the bytes of base64 %j', (content, bytes) => {
    expect(base64Bytes(content)).toBe(bytes);
  });
});

describe('replyRouteOf', () => {
  it('answers in the conversation, else to the sender, in the thread of the message', () => {
    expect(replyRouteOf(parseEnvelope(dm))).toEqual({ channel: 'telegram', to: '123', accountId: 'default' });
    expect(replyRouteOf(parseEnvelope({ ...group, threadId: '4', accountId: 'Work Bot' }))).toEqual({ channel: 'telegram', to: '-100', accountId: 'Work Bot', threadId: '4' });
  });

  it('takes the route of the message as it is', () => {
    expect(replyRouteOf(parseEnvelope({ ...cron, replyRoute: { channel: 'slack', to: 'C1' } }))).toEqual({ channel: 'slack', to: 'C1' });
  });

  it('knows none for what came from nowhere', () => {
    expect(replyRouteOf(parseEnvelope(cron))).toBeUndefined();
  });
});

describe('defaultIdempotencyKey', () => {
  const key = (raw: object): string | undefined => defaultIdempotencyKey(parseEnvelope(raw), (text) => `digest-${String(text.length)}`);

  it('is the identity that the channel gave the message', () => {
    expect(key(dm)).toBe('telegram/default/123/501');
    expect(key(group)).toBe('telegram/default/-100/77');
    expect(key({ ...group, messageId: '501#e1' })).toBe('telegram/default/-100/501#e1');
    expect(key(cron)).toBe('cron/report/r1');
  });

  it('is the key of the message when it has one', () => {
    expect(key({ ...dm, idempotencyKey: 'mine' })).toBe('mine');
  });

  it('is absent where each call is a message of its own', () => {
    expect(key({ origin: { kind: 'hook' }, hook: {}, text: 'x' })).toBeUndefined();
    expect(key({ origin: { kind: 'node' }, node: { nodeId: 'a' }, messageId: '1', text: 'x' })).toBeUndefined();
    expect(key({ origin: { kind: 'webchat' }, text: 'x' })).toBeUndefined();
  });

  it('is visible ASCII of bounded length that keeps different messages apart', () => {
    expect(key({ ...dm, sender: { id: 'a/b' }, messageId: 'c' })).not.toBe(key({ ...dm, sender: { id: 'a' }, messageId: 'b/c' }));
    expect(key({ ...dm, messageId: 'ü 1%' })).toBe('telegram/default/123/%C3%BC%201%25');
    expect(() => key({ ...dm, messageId: '\uD800' })).toThrow('messageId: must not hold half of a character');
    expect(key({ ...dm, messageId: 'm'.repeat(256) })).toBe('telegram/digest-277');
  });
});

import { parseConfig, type SessionConfig } from '../config/parse-config';
import { parseEnvelope } from '../inbound/envelope';
import { groupDisplayName, originPatch, type OriginPatch } from './origin-metadata';
import { resolveRoute } from './resolve-session-key';

function patch(raw: unknown): OriginPatch {
  const result = parseConfig({});
  if (!result.ok) throw new Error('the configuration is refused');
  const settings: SessionConfig = result.config;
  const envelope = parseEnvelope(raw);
  return originPatch(envelope, resolveRoute(envelope, settings));
}

const dm = { channel: 'telegram', messageId: '1', chatType: 'direct', sender: { id: '111', name: 'User111', username: 'u111' }, text: 'x' };

describe('originPatch', () => {
  it('records who wrote and where to, for a direct message', () => {
    expect(patch(dm)).toEqual({
      chatType: 'direct',
      origin: { label: 'User111 (@u111) id:111', provider: 'telegram', surface: 'telegram', chatType: 'direct', from: 'telegram:111', to: '111', accountId: 'default', threadId: null },
      route: { channel: 'telegram', accountId: 'default', target: { to: '111' }, thread: null },
      deliveryContext: { channel: 'telegram', to: '111', accountId: 'default', threadId: null },
      lastChannel: 'telegram',
      lastTo: '111',
      lastAccountId: 'default',
      lastThreadId: null,
    });
  });

  it('adds the group with its name and topic', () => {
    const topic = patch({ ...dm, chatType: 'group', conversation: { id: '-100', name: 'Lab Group' }, threadId: '42' });
    expect(topic).toMatchObject({
      chatType: 'group',
      origin: { label: 'Lab Group id:-100', from: 'telegram:group:-100', to: '-100', threadId: '42' },
      route: { target: { to: '-100' }, thread: { id: '42' } },
      lastThreadId: '42',
      channel: 'telegram',
      groupId: '-100',
      subject: 'Lab Group',
      displayName: 'telegram:g-lab-group',
    });
  });

  it('knows the General topic as the origin but sends nothing to a thread of that id', () => {
    const general = patch({ ...dm, chatType: 'group', conversation: { id: '-100', kind: 'forum' } });
    expect(general).toMatchObject({ origin: { threadId: '1' }, deliveryContext: { threadId: null }, lastThreadId: null });
  });

  it('records the route that the message asks to be answered on', () => {
    expect(patch({ ...dm, replyRoute: { channel: 'slack', to: 'C1', threadId: '9' } })).toMatchObject({
      origin: { provider: 'telegram', from: 'telegram:111' },
      deliveryContext: { channel: 'slack', to: 'C1', threadId: '9' },
      lastChannel: 'slack',
      lastTo: 'C1',
      lastThreadId: '9',
    });
  });

  it('leaves no origin for cron, hooks, nodes and visits of the web chat', () => {
    expect(patch({ origin: { kind: 'cron' }, cron: { jobId: 'a', runId: 'b', target: 'main' }, text: 'x' })).toEqual({});
    expect(patch({ origin: { kind: 'node' }, node: { nodeId: 'a' }, text: 'x' })).toEqual({});
    expect(patch({ origin: { kind: 'webchat' }, sessionKey: 'agent:main:telegram:group:-100', text: 'x' })).toEqual({});
    expect(patch({ origin: { kind: 'webchat' }, text: 'x' })).toMatchObject({ lastChannel: 'webchat', lastTo: null });
  });
});

describe('groupDisplayName', () => {
  it.each([
    ['group', { id: '-100', name: 'Lab Group' }, 'telegram:g-lab-group'],
    ['group', { id: '-100', name: '  A & B!  c++ ' }, 'telegram:g-a-b-c++'],
    ['group', { id: '-100', name: 'Лаборатория' }, 'telegram:g-100'],
    ['group', { id: 'X1' }, 'telegram:g-x1'],
    ['channel', { id: '9', name: 'General' }, 'telegram:#general'],
    ['channel', { id: '9', name: '#ops' }, 'telegram:#ops'],
  ] as const)('names a %s %j', (chatType, conversation, name) => {
    expect(groupDisplayName('telegram', chatType, conversation)).toBe(name);
  });
});

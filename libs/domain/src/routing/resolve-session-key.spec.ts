import { parseConfig, type SessionConfig } from '../config/parse-config';
import type { SessionError } from '../errors';
import { parseEnvelope } from '../inbound/envelope';
import { resolveRoute, type Route } from './resolve-session-key';

const UUID = '0f8fad5b-d9cb-469f-a165-70867728950e';
const dm = { channel: 'telegram', messageId: '501', chatType: 'direct', sender: { id: '123' }, text: 'Hello' };
const withoutSender = { channel: 'telegram', messageId: '501', chatType: 'direct', sender: { name: 'Ann' }, text: 'Hello' };
const hook = { origin: { kind: 'hook' }, hook: { name: 'build' }, text: 'x' };

function config(raw: unknown): SessionConfig {
  const result = parseConfig(raw);
  if (!result.ok) throw new Error('the configuration is refused');
  return result.config;
}

const route = (raw: unknown, settings: unknown = {}, options = {}): Route => resolveRoute(parseEnvelope(raw), config(settings), options);
const refusedWith = (reason: string): SessionError => expect.objectContaining({ reason }) as SessionError;

describe('resolveRoute', () => {
  it('gives the whole route of a direct message', () => {
    expect(route({ ...dm, accountId: 'Work Bot', threadId: '7' }, { session: { dmScope: 'per-channel-peer' } })).toEqual({
      agentId: 'main',
      sessionKey: 'agent:main:telegram:direct:123',
      mainSessionKey: 'agent:main:main',
      channel: 'telegram',
      accountId: 'work-bot',
      chatType: 'direct',
      peerId: '123',
      matchedBy: 'default',
      deliveryContext: { channel: 'telegram', to: '123', accountId: 'Work Bot', threadId: '7' },
    });
  });

  it('keeps the General topic of a forum out of the address of the answer', () => {
    const forum = route({ ...dm, chatType: 'group', conversation: { id: '-1', kind: 'forum' } });
    expect(forum).toMatchObject({ sessionKey: 'agent:main:telegram:group:-1:topic:1', threadId: '1' });
    expect(forum.deliveryContext).toEqual({ channel: 'telegram', to: '-1', accountId: 'default' });
  });

  it('calls cron, hooks and nodes internal, with nowhere to answer', () => {
    const cron = route({ origin: { kind: 'cron' }, cron: { jobId: 'a', runId: 'b', target: 'isolated' }, text: 'x' });
    expect(cron).toMatchObject({ channel: 'internal', chatType: 'direct', accountId: 'default' });
    expect(cron).not.toHaveProperty('deliveryContext');
  });

  it.each(['per-peer', 'per-channel-peer', 'per-account-channel-peer'])('refuses strangers without sender id under %s', (dmScope) => {
    expect(() => route(withoutSender, { session: { dmScope } })).toThrow(refusedWith('PEER_MISSING'));
  });

  it('lets senders without id into the shared main session', () => {
    expect(route(withoutSender).sessionKey).toBe('agent:main:main');
    expect(route(withoutSender)).not.toHaveProperty('deliveryContext');
  });

  it('never splits web chat by sender', () => {
    expect(route({ origin: { kind: 'webchat' }, text: 'x' }, { session: { dmScope: 'per-peer' } }).sessionKey).toBe('agent:main:main');
  });

  it('puts a webhook under a new id, its own id, or the key it may ask for', () => {
    expect(route(hook, {}, { newHookId: UUID }).sessionKey).toBe(`agent:main:hook:${UUID}`);
    expect(route({ ...hook, hook: { hookId: 'Fixed' } }).sessionKey).toBe('agent:main:hook:fixed');
    expect(() => route(hook)).toThrow(refusedWith('VALIDATION'));
    expect(() => route({ ...hook, sessionKey: 'hook:build' })).toThrow(refusedWith('VALIDATION'));
  });

  it('says explicit when the message itself names the agent', () => {
    const two = { agents: { list: [{ id: 'main' }, { id: 'ops' }] } };
    expect(route({ ...dm, agentId: 'OPS' }, two)).toMatchObject({ agentId: 'ops', sessionKey: 'agent:ops:main', matchedBy: 'explicit' });
    expect(route({ origin: { kind: 'webchat' }, sessionKey: 'agent:ops:lab', text: 'x' }, two)).toMatchObject({ agentId: 'ops', sessionKey: 'agent:ops:lab', matchedBy: 'explicit' });
    expect(() => route({ ...dm, agentId: 'ghost' }, two)).toThrow(refusedWith('AGENT_UNKNOWN'));
  });

  it.each(['unknown', UUID, 'agent::x'])('creates nothing under the key %s', (sessionKey) => {
    expect(() => route({ origin: { kind: 'webchat' }, sessionKey, text: 'x' })).toThrow(refusedWith('KEY_INVALID'));
  });

  it('refuses ids that together make too long a key', () => {
    const long = { ...dm, chatType: 'group', conversation: { id: 'c'.repeat(256) }, threadId: 't'.repeat(256) };
    expect(() => route(long)).toThrow(refusedWith('KEY_INVALID'));
  });

  it('takes the alias of the main key and the shared row of scope global as main', () => {
    const cron = (target: string): object => ({ origin: { kind: 'cron' }, cron: { jobId: 'a', runId: 'b', target }, text: 'x' });
    expect(route(cron('session:home'), { session: { mainKey: 'home' } }).sessionKey).toBe('agent:main:main');
    expect(route(dm, { session: { scope: 'global', dmScope: 'per-peer' } })).toMatchObject({ sessionKey: 'global', mainSessionKey: 'global', agentId: 'main' });
  });
});

describe('bindings', () => {
  const bound = (bindings: unknown[], raw: object = dm): string => route(raw, { bindings, agents: { list: [{ id: 'main' }, { id: 'a' }, { id: 'b' }] } }).matchedBy;
  const to = (agentId: string, match: object): object => ({ agentId, match: { channel: 'telegram', ...match } });
  const everyLevel = [to('a', {}), to('a', { accountId: 'default' }), to('a', { teamId: 'T' }), to('a', { guildId: 'G' }), to('a', { peer: { kind: 'channel', id: 'P' } }), to('a', { peer: { kind: 'direct', id: '123' } })];
  const everything = { ...dm, guildId: 'g', teamId: 't', parentPeer: { kind: 'channel', id: 'p' } };

  it('win by how specific they are, not by their place in the file', () => {
    const levels = everyLevel.map((_, dropped) => bound(everyLevel.slice(0, everyLevel.length - dropped), everything));
    expect(levels).toEqual(['peer', 'peer.parent', 'guild', 'team', 'account', 'channel']);
    expect(bound([], everything)).toBe('default');
  });

  it('need every condition they name', () => {
    expect(bound([to('a', { peer: { kind: 'direct', id: '123' }, guildId: 'other' })], everything)).toBe('default');
    expect(bound([to('a', { peer: { kind: 'group', id: '123' } })])).toBe('default');
    expect(bound([to('a', { accountId: 'second' })])).toBe('default');
    expect(bound([{ agentId: 'a', match: { channel: 'slack' } }])).toBe('default');
  });

  it('never match by a condition that is not understood', () => {
    expect(bound([to('a', { roles: ['admin'] })])).toBe('default');
  });
});

import { SessionError } from '../errors';
import type { AgentId } from '../ids';
import { assertCreatableKey, cronRunKey, formatSessionKey, isReservedChannel, lookupCandidates, mainSessionKey, normaliseSessionKey, parentKey, parseSessionKey, storedSpellings, toRequestKey, withSuffix } from './session-key';

const UUID = '0f8fad5b-d9cb-469f-a165-70867728950e';
const MAIN = 'main' as AgentId;

describe('parseSessionKey', () => {
  it.each([
    ['agent:main:main', { agentId: 'main', form: 'main' }],
    ['agent:main:direct:123', { agentId: 'main', form: 'direct', word: 'direct', peerId: '123' }],
    ['agent:main:telegram:direct:123', { agentId: 'main', form: 'direct', word: 'direct', channel: 'telegram', peerId: '123' }],
    ['agent:main:telegram:dm:123456789', { agentId: 'main', form: 'direct', word: 'dm', channel: 'telegram', peerId: '123456789' }],
    ['agent:coder:discord:dm:user#1234', { agentId: 'coder', form: 'direct', word: 'dm', channel: 'discord', peerId: 'user#1234' }],
    ['agent:main:telegram:default:direct:123', { agentId: 'main', form: 'direct', word: 'direct', channel: 'telegram', accountId: 'default', peerId: '123' }],
    ['agent:main:telegram:group:-1001234567890', { agentId: 'main', form: 'group', channel: 'telegram', id: '-1001234567890' }],
    ['agent:main:telegram:group:-1001234567890:topic:42', { agentId: 'main', form: 'group', channel: 'telegram', id: '-1001234567890', suffix: { kind: 'topic', id: '42' } }],
    ['agent:ops:discord:channel:9911', { agentId: 'ops', form: 'room', word: 'channel', channel: 'discord', id: '9911' }],
    ['agent:ops:discord:channel:9911:thread:77', { agentId: 'ops', form: 'room', word: 'channel', channel: 'discord', id: '9911', suffix: { kind: 'thread', id: '77' } }],
    ['agent:main:matrix:room:!abc:example.org', { agentId: 'main', form: 'room', word: 'room', channel: 'matrix', id: '!abc:example.org' }],
    ['agent:main:subagent:a1b2c3d4', { agentId: 'main', form: 'subagent', ids: ['a1b2c3d4'] }],
    [`agent:main:subagent:${UUID}:subagent:${UUID}`, { agentId: 'main', form: 'subagent', ids: [UUID, UUID] }],
    ['cron:report', { form: 'cron', jobId: 'report' }],
    ['agent:main:cron:report:run:abc', { agentId: 'main', form: 'cron', jobId: 'report', runId: 'abc' }],
    [`agent:main:dashboard:${UUID}`, { agentId: 'main', form: 'dashboard', id: UUID }],
    [`hook:${UUID}`, { form: 'hook', hookId: UUID }],
    ['node-kitchen', { form: 'node', separator: '-', nodeId: 'kitchen' }],
    ['node:kitchen', { form: 'node', separator: ':', nodeId: 'kitchen' }],
    [`agent:ops:explicit:model-run-${UUID}`, { agentId: 'ops', form: 'explicit', id: `model-run-${UUID}` }],
    ['agent:main:discord:slash:4711', { agentId: 'main', form: 'slash', channel: 'discord', userId: '4711' }],
    ['agent:main:acp:codex', { agentId: 'main', form: 'acp', id: 'codex' }],
    ['agent:main:lab', { agentId: 'main', form: 'other', name: 'lab' }],
    ['main', { form: 'main' }],
    ['group:42', { form: 'group', id: '42' }],
    ['global', { form: 'global' }],
    ['unknown', { form: 'unknown' }],
  ])('takes %s apart and puts it together again', (key, parts) => {
    expect(parseSessionKey(key)).toEqual(parts);
    expect(formatSessionKey(parseSessionKey(key))).toBe(key);
  });

  it('recognises words in any case and keeps the case of ids', () => {
    expect(parseSessionKey(' AGENT:Main:Telegram:GROUP:AbC:TOPIC:7 ')).toEqual({ agentId: 'Main', form: 'group', channel: 'Telegram', id: 'AbC', suffix: { kind: 'topic', id: '7' } });
  });

  it('takes only the last marker as the suffix', () => {
    expect(parseSessionKey('agent:main:slack:channel:c1:thread:a:thread:b')).toMatchObject({ id: 'c1:thread:a', suffix: { kind: 'thread', id: 'b' } });
  });

  it.each(['', 'agent:', 'agent::main', 'agent:main:', 'agent:main'])('treats %j as opaque', (key) => {
    expect(parseSessionKey(key)).toEqual({ form: 'other', name: key });
  });
});

describe('normaliseSessionKey', () => {
  it.each([
    ['agent:Main:Slack:Channel:C0AB12:Thread:1718.AB', 'agent:main:slack:channel:c0ab12:thread:1718.ab'],
    ['agent:work bot:main', 'agent:work-bot:main'],
    ['agent:main:signal:group:AbC+/d=', 'agent:main:signal:group:AbC+/d='],
    ['agent:main:SIGNAL:GROUP:AbC=', 'agent:main:signal:group:AbC='],
    ['agent:main:signal:direct:+49AbC', 'agent:main:signal:direct:+49abc'],
    ['agent:main:matrix:channel:!AbC:Example.org:thread:$Ev', 'agent:main:matrix:channel:!AbC:Example.org:thread:$ev'],
    ['agent:main:telegram:DM:5', 'agent:main:telegram:dm:5'],
  ])('writes %s as %s', (key, normal) => {
    expect(normaliseSessionKey(key)).toBe(normal);
  });
});

describe('lookupCandidates', () => {
  it('tries the key as given, its lower case, then the other word for direct chats', () => {
    expect(lookupCandidates(' agent:main:Telegram:dm:A1 ')).toEqual([
      'agent:main:Telegram:dm:A1',
      'agent:main:telegram:dm:a1',
      'agent:main:Telegram:direct:A1',
      'agent:main:telegram:direct:a1',
    ]);
  });

  it('never swaps a word inside an identifier', () => {
    expect(lookupCandidates('agent:main:matrix:channel:x:dm:y')).toEqual(['agent:main:matrix:channel:x:dm:y']);
  });

  it('has no spelling in common with a key of another agent', () => {
    const ours = new Set<string>(lookupCandidates('agent:main:telegram:dm:1'));
    expect(lookupCandidates('agent:ops:telegram:dm:1').filter((spelling) => ours.has(spelling))).toEqual([]);
  });
});

describe('storedSpellings', () => {
  it('adds the same without their agent, as they may stand in its own store', () => {
    expect(storedSpellings('agent:main:telegram:dm:1')).toEqual(['agent:main:telegram:dm:1', 'agent:main:telegram:direct:1', 'telegram:dm:1', 'telegram:direct:1']);
  });

  it('never takes the shared keys for those of an agent', () => {
    expect(storedSpellings('agent:main:global')).toEqual(['agent:main:global']);
  });
});

describe('toRequestKey', () => {
  const request = (key: string | undefined, more: object = {}): object => toRequestKey({ key, defaultAgentId: MAIN, ...more });

  it.each([undefined, '', ' ', 'main', 'MAIN'])('reads %j as the main session of the agent beside it', (key) => {
    expect(request(key)).toEqual({ key: 'agent:main:main', agentId: 'main' });
    expect(request(key, { agentId: 'Work Bot' })).toEqual({ key: 'agent:work-bot:main', agentId: 'work-bot' });
    expect(request(key, { scope: 'global' })).toEqual({ key: 'global', agentId: 'main' });
  });

  it.each([
    ['Lab', 'agent:main:lab'],
    ['cron:report', 'agent:main:cron:report'],
    ['hook:build', 'agent:main:hook:build'],
    ['node-Pi', 'agent:main:node-pi'],
    ['telegram:group:-5', 'agent:main:telegram:group:-5'],
  ])('puts the bare key %s under the default agent', (key, full) => {
    expect(request(key)).toEqual({ key: full, agentId: 'main' });
  });

  it('lets the agent in the key win and lower-cases the rest', () => {
    expect(request('agent:Ops:Discord:channel:AB', { agentId: 'main' })).toEqual({ key: 'agent:ops:discord:channel:ab', agentId: 'ops' });
  });

  it('keeps the reserved keys bare and owned only by an agent that was named', () => {
    expect(request('Global')).toEqual({ key: 'global', agentId: undefined });
    expect(request('unknown', { agentId: 'ops' })).toEqual({ key: 'unknown', agentId: 'ops' });
  });

  it('reads the configured alias of the main key as main, inside a full key too', () => {
    expect(request('Home', { mainKey: 'home' })).toEqual({ key: 'agent:main:main', agentId: 'main' });
    expect(request('agent:ops:home', { mainKey: 'home' })).toEqual({ key: 'agent:ops:main', agentId: 'ops' });
    expect(request('agent:ops:main', { scope: 'global' })).toEqual({ key: 'global', agentId: 'ops' });
  });

  it('leaves malformed agent keys opaque', () => {
    expect(request('agent::X')).toEqual({ key: 'agent::x', agentId: 'main' });
  });
});

describe('assertCreatableKey', () => {
  it.each(['', 'agent::x', 'agent:main:', 'unknown', UUID, `agent:main:${UUID}`, 'agent:main:a\nb', `agent:main:${'x'.repeat(512)}`])('refuses %j', (key) => {
    expect(() => assertCreatableKey(key)).toThrow(expect.objectContaining({ reason: 'KEY_INVALID' }) as SessionError);
  });

  it.each(['agent:main:main', 'global', `agent:main:dashboard:${UUID}`, `agent:main:${'x'.repeat(501)}`])('accepts %s', (key) => {
    expect(() => assertCreatableKey(key)).not.toThrow();
  });
});

describe('related keys', () => {
  it('drops exactly one suffix to find the parent', () => {
    expect(parentKey('agent:main:telegram:group:-1:topic:42')).toBe('agent:main:telegram:group:-1');
    expect(parentKey('agent:main:telegram:group:-1')).toBeUndefined();
  });

  it('builds main, thread and cron run keys', () => {
    expect(mainSessionKey(MAIN)).toBe('agent:main:main');
    expect(withSuffix(normaliseSessionKey('agent:main:slack:channel:c1'), { kind: 'thread', id: '17.AB' })).toBe('agent:main:slack:channel:c1:thread:17.ab');
    expect(cronRunKey(MAIN, 'Report', UUID)).toBe(`agent:main:cron:report:run:${UUID}`);
  });

  it('knows the channel names that the grammar uses itself', () => {
    expect(['cron', 'direct', 'node-x', 'telegram', 'webchat'].map(isReservedChannel)).toEqual([true, true, true, false, false]);
  });
});

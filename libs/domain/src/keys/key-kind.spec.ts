import { chatTypeOf, cliRowKind, gatewayRowKind, isCronRunKey, toolChannel, toolRowKind, type KindFacts } from './key-kind';
import { slugAccountId, slugAgentId } from './slug-id';

type Row = [key: string, facts: KindFacts, cli: string, gateway: string, tool: string, chatType: string | undefined, channel: string];

describe('kinds of sessions', () => {
  it.each<Row>([
    ['agent:main:main', { lastChannel: 'telegram' }, 'direct', 'direct', 'main', 'direct', 'telegram'],
    ['main', {}, 'direct', 'direct', 'main', 'direct', 'unknown'],
    ['global', { lastChannel: 'slack' }, 'global', 'global', 'main', 'direct', 'slack'],
    ['unknown', {}, 'unknown', 'unknown', 'other', undefined, 'unknown'],
    ['agent:main:telegram:direct:1', { lastChannel: 'telegram' }, 'direct', 'direct', 'other', 'direct', 'telegram'],
    ['agent:main:telegram:dm:1', {}, 'direct', 'direct', 'other', 'direct', 'unknown'],
    ['agent:main:telegram:group:-1', { channel: 'telegram' }, 'group', 'group', 'group', 'group', 'telegram'],
    ['agent:main:telegram:group:-1:topic:42', { channel: 'telegram', chatType: 'group' }, 'group', 'group', 'group', 'group', 'telegram'],
    ['agent:ops:discord:channel:1', { channel: 'discord' }, 'group', 'group', 'group', 'channel', 'discord'],
    ['agent:ops:matrix:room:!a:b', { chatType: 'room' }, 'group', 'group', 'group', 'channel', 'unknown'],
    ['group:5', { channel: 'my-plugin' }, 'group', 'group', 'group', 'group', 'my-plugin'],
    ['agent:main:lab', { chatType: 'group' }, 'group', 'group', 'other', 'group', 'unknown'],
    ['agent:main:cron:report', {}, 'cron', 'direct', 'cron', undefined, 'internal'],
    ['cron:report', {}, 'direct', 'direct', 'cron', undefined, 'internal'],
    ['agent:main:hook:x', {}, 'direct', 'direct', 'hook', undefined, 'internal'],
    ['agent:main:node-pi', {}, 'direct', 'direct', 'node', undefined, 'internal'],
    ['agent:main:node:pi', {}, 'direct', 'direct', 'node', undefined, 'internal'],
    ['agent:main:subagent:1', { spawnedBy: 'agent:main:main' }, 'spawn-child', 'direct', 'other', undefined, 'unknown'],
    ['agent:main:subagent:1', {}, 'direct', 'direct', 'other', undefined, 'unknown'],
    ['agent:main:discord:slash:1', {}, 'direct', 'direct', 'other', undefined, 'unknown'],
  ])('%s %j', (key, facts, cli, gateway, tool, chatType, channel) => {
    expect([cliRowKind(key, facts), gatewayRowKind(key, facts), toolRowKind(key), chatTypeOf(key, facts), toolChannel(key, facts)]).toEqual([cli, gateway, tool, chatType, channel]);
  });

  it('count the configured alias as main', () => {
    expect(toolRowKind('agent:main:home', 'Home')).toBe('main');
  });

  it('tell a cron run from its job', () => {
    expect(['agent:main:cron:a:run:b', 'cron:a:run:b', 'agent:main:cron:a', 'agent:main:hook:cron:a:run:b'].map(isCronRunKey)).toEqual([true, true, false, false]);
  });
});

describe('slugs', () => {
  it.each([
    ['work bot', 'work-bot'],
    ['', 'main'],
    [' Ops_2 ', 'ops_2'],
    ['--x--', 'x'],
    ['日本', 'main'],
    ['a'.repeat(80), 'a'.repeat(64)],
  ])('%j names agent %s', (text, id) => {
    expect(slugAgentId(text)).toBe(id);
  });

  it('of no account is the default account', () => {
    expect([slugAccountId('Work Bot'), slugAccountId('')]).toEqual(['work-bot', 'default']);
  });
});

import { parseConfig, type SessionConfig } from '../config/parse-config';
import { dmScopeWarning } from './dm-scope-warning';
import { linkedName } from './identity-links';
import { enforceSendPolicy, evaluateSendPolicy, type SendSubject } from './send-policy';

function session(raw: object): SessionConfig['session'] {
  const result = parseConfig({ session: raw });
  if (!result.ok) throw new Error('the configuration is refused');
  return result.config.session;
}

const decide = (sendPolicy: object, subject: SendSubject): string => evaluateSendPolicy(session({ sendPolicy }).sendPolicy, subject);
const deny = (match: object): object => ({ action: 'deny', match });
const allow = (match: object): object => ({ action: 'allow', match });

describe('evaluateSendPolicy', () => {
  const group = { key: 'agent:main:discord:group:1', channel: 'discord', chatType: 'group' };

  it('allows without rules and follows the default', () => {
    expect(decide({}, group)).toBe('allow');
    expect(decide({ default: 'deny' }, group)).toBe('deny');
  });

  it('lets any matching deny win over a matching allow, in any order', () => {
    expect(decide({ rules: [allow({}), deny({ channel: 'discord' })] }, group)).toBe('deny');
    expect(decide({ rules: [deny({ channel: 'discord' }), allow({})] }, group)).toBe('deny');
    expect(decide({ default: 'deny', rules: [allow({ chatType: 'group' })] }, group)).toBe('allow');
  });

  it('needs every condition of a rule', () => {
    expect(decide({ rules: [deny({ channel: 'discord', chatType: 'direct' })] }, group)).toBe('allow');
    expect(decide({ rules: [deny({ channel: 'Discord', chatType: 'group', keyPrefix: 'discord:', rawKeyPrefix: 'agent:main:' })] }, group)).toBe('deny');
  });

  it('lets an empty match match everything', () => {
    expect(decide({ rules: [{ action: 'deny' }] }, group)).toBe('deny');
  });

  it('reads dm as direct, and channel and type from the key when the entry has none', () => {
    expect(decide({ rules: [deny({ chatType: 'dm' })] }, { key: 'agent:main:telegram:dm:5' })).toBe('deny');
    expect(decide({ rules: [deny({ channel: 'telegram' })] }, { key: 'agent:main:telegram:direct:5' })).toBe('deny');
    expect(decide({ rules: [deny({ channel: 'telegram' })] }, { key: 'agent:main:main' })).toBe('allow');
  });

  it('compares keyPrefix without the agent and rawKeyPrefix with it', () => {
    const cron = { key: 'agent:main:cron:report' };
    expect(decide({ rules: [deny({ keyPrefix: 'cron:' })] }, cron)).toBe('deny');
    expect(decide({ rules: [deny({ rawKeyPrefix: 'cron:' })] }, cron)).toBe('allow');
    expect(decide({ rules: [deny({ keyPrefix: 'agent:main:cron:' })] }, cron)).toBe('allow');
  });

  it('lets the override of the entry decide before every rule', () => {
    expect(decide({ rules: [deny({})] }, { ...group, override: 'allow' })).toBe('allow');
    expect(decide({}, { ...group, override: 'deny' })).toBe('deny');
  });

  it('never applies a rule whose condition it does not know', () => {
    expect(decide({ rules: [deny({ sessionId: 'x' })] }, group)).toBe('allow');
  });
});

describe('enforceSendPolicy', () => {
  it('refuses methods and silences answers, the override of the entry first', () => {
    const { sendPolicy } = session({ sendPolicy: { rules: [deny({ channel: 'discord', chatType: 'group' })] } });
    const points = (subject: SendSubject) => (['chat.send', 'agent', 'auto-reply'] as const).map((point) => enforceSendPolicy(point, sendPolicy, subject));
    expect(points({ key: 'agent:main:discord:group:1' })).toEqual(['refuse', 'refuse', 'run-without-delivery']);
    expect(points({ key: 'agent:main:discord:group:1', override: 'allow' })).toEqual(['proceed', 'proceed', 'proceed']);
    expect(points({ key: 'agent:main:discord:direct:1' })).toEqual(['proceed', 'proceed', 'proceed']);
  });
});

describe('linkedName', () => {
  const { identityLinks } = session({ identityLinks: { alice: ['telegram:123', '987'], bob: ['Telegram:123', 'slack:U7'] } });

  it.each([
    ['telegram', '123', 'alice'],
    ['discord', '987', 'alice'],
    ['slack', 'u7', 'bob'],
    ['whatsapp', '123', undefined],
    ['telegram', '1234', undefined],
  ])('%s %s is %s', (channel, peer, name) => {
    expect(linkedName(identityLinks, channel, peer)).toBe(name);
  });
});

describe('dmScopeWarning', () => {
  const shared = session({});

  it('warns once two senders share the main session, without naming them', () => {
    expect(dmScopeWarning(shared, ['telegram:111'])).toBeUndefined();
    expect(dmScopeWarning(shared, ['telegram:111', 'Telegram:111', ' '])).toBeUndefined();
    const warning = dmScopeWarning(shared, ['telegram:111', 'telegram:222']);
    expect(warning?.sendersCount).toBe(2);
    expect(JSON.stringify(warning)).not.toMatch(/111|222/);
  });

  it('is silent where senders are kept apart, or sharing was asked for', () => {
    const froms = ['telegram:111', 'telegram:222'];
    expect(dmScopeWarning(session({ dmScope: 'per-peer' }), froms)).toBeUndefined();
    expect(dmScopeWarning(session({ scope: 'global' }), froms)).toBeUndefined();
  });
});

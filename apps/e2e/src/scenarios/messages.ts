/**
 * What people send, on several channels, and the session each message belongs to under each dmScope.
 * Ids of messages are given when they are sent.
 */
export const SCOPES = ['main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer'] as const;
export type Scope = (typeof SCOPES)[number];

export const SETTINGS = {
  agents: { list: [{ id: 'main', default: true }, { id: 'support' }] },
  bindings: [{ match: { channel: 'slack', teamId: 'T9' }, agentId: 'support' }],
  hooks: { enabled: true, token: 'for-hooks', allowRequestSessionKey: true },
  storeWriter: { checkpointDelayMs: 0 },
} as const;

/** Settings under one scope: the same person has an address on two channels. */
export const settingsUnder = (dmScope: Scope): Record<string, unknown> => ({ ...SETTINGS, session: { dmScope, identityLinks: { alice: ['telegram:777', 'discord:987'] } } });

export type Message = Readonly<Record<string, unknown>>;

const direct = (channel: string, id: string, more: Message = {}): Message => ({ channel, chatType: 'direct', sender: { id, name: `P ${id}` }, text: `${channel} from ${id}`, ...more });

/** Each with its key under the four scopes, in their order. */
const DIRECT: readonly (readonly [message: Message, keys: readonly [string, string, string, string]])[] = [
  [direct('telegram', '123'), ['main', 'direct:123', 'telegram:direct:123', 'telegram:default:direct:123']],
  [direct('discord', '123'), ['main', 'direct:123', 'discord:direct:123', 'discord:default:direct:123']],
  [direct('telegram', '123', { accountId: 'Work Bot' }), ['main', 'direct:123', 'telegram:direct:123', 'telegram:work-bot:direct:123']],
  [direct('signal', '+15550001'), ['main', 'direct:+15550001', 'signal:direct:+15550001', 'signal:default:direct:+15550001']],
  [direct('telegram', '777'), ['main', 'direct:alice', 'telegram:direct:alice', 'telegram:default:direct:alice']],
  [direct('discord', '987'), ['main', 'direct:alice', 'discord:direct:alice', 'discord:default:direct:alice']],
  // Names that are no mistakes: Cyrillic, a mark that turns the writing round, paths, what every object has.
  [direct('telegram', 'а'), ['main', 'direct:а', 'telegram:direct:а', 'telegram:default:direct:а']],
  [direct('telegram', '\u202ea'), ['main', 'direct:\u202ea', 'telegram:direct:\u202ea', 'telegram:default:direct:\u202ea']],
  [direct('telegram', '../../x'), ['main', 'direct:../../x', 'telegram:direct:../../x', 'telegram:default:direct:../../x']],
  [direct('telegram', '__proto__'), ['main', 'direct:__proto__', 'telegram:direct:__proto__', 'telegram:default:direct:__proto__']],
];

const group = { channel: 'telegram', chatType: 'group', sender: { id: '123' }, conversation: { id: '-1001234567890', name: 'Lab' }, mentioned: true, text: 'Status?' };
const room = { channel: 'discord', chatType: 'channel', sender: { id: '88' }, conversation: { id: '9911' }, guildId: '5', mentioned: true, text: 'Deploy?' };

/** Those whose key no scope changes. */
const FIXED: readonly (readonly [message: Message, key: string])[] = [
  [group, 'agent:main:telegram:group:-1001234567890'],
  [{ ...group, threadId: '42' }, 'agent:main:telegram:group:-1001234567890:topic:42'],
  [room, 'agent:main:discord:channel:9911'],
  [{ ...room, threadId: '77' }, 'agent:main:discord:channel:9911:thread:77'],
  [{ channel: 'slack', accountId: 'Work Bot', chatType: 'channel', sender: { id: 'U7' }, conversation: { id: 'C0AB12' }, teamId: 'T9', mentioned: true, text: 'Help' }, 'agent:support:slack:channel:c0ab12'],
  [{ origin: { kind: 'cron' }, cron: { jobId: 'report', name: 'Report', target: 'isolated' }, text: 'Write' }, 'agent:main:cron:report'],
  [{ origin: { kind: 'cron' }, cron: { jobId: 'report', target: 'session:lab' }, text: 'Write' }, 'agent:main:lab'],
  [{ origin: { kind: 'hook' }, hook: { name: 'build' }, sessionKey: 'hook:build', text: 'Failed' }, 'agent:main:hook:build'],
  [{ origin: { kind: 'node' }, node: { nodeId: 'kitchen-pi' }, text: 'Door' }, 'agent:main:node-kitchen-pi'],
];

/** Everything that is sent under a scope, each with an id of its own, and the key it must be given. */
export function messagesUnder(scope: Scope): readonly { readonly message: Message; readonly key: string }[] {
  const place = SCOPES.indexOf(scope);
  const withId = (message: Message, at: number): Message => {
    const id = `${scope}-${at}`;
    if ('channel' in message) return { ...message, messageId: id };
    if ('cron' in message) return { ...message, cron: { ...(message['cron'] as Message), runId: id } };
    return { ...message, idempotencyKey: id };
  };
  const directs = DIRECT.map(([message, keys]) => ({ message, key: `agent:main:${keys[place] ?? ''}` }));
  const fixed = FIXED.map(([message, key]) => ({ message, key }));
  return [...directs, ...fixed].map(({ message, key }, at) => ({ message: withId(message, at), key }));
}

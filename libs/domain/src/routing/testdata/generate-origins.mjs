/**
 * Writes origins.json: recorded inbound messages with the session key each has had since the first
 * release. Keys are spelled here by hand or by the plain string rules below, never by the code
 * under test, so a change of routing shows as a difference.
 *
 *     node libs/domain/src/routing/testdata/generate-origins.mjs
 *
 * The output is the same on every run. Rows may be added; a changed key of an existing row means
 * that conversations stored under it would be lost.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SCOPES = ['main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer'];
const LINKS = { alice: ['telegram:123', 'discord:987654321012345678'], bob: ['U7'] };

const configs = {
  'slack-team': { bindings: [{ match: { channel: 'slack', teamId: 'T9' }, agentId: 'support' }], agents: { list: [{ id: 'main' }, { id: 'support' }] } },
  bindings: {
    agents: { list: [{ id: 'main' }, { id: 'ops', default: true }, { id: 'Work Bot' }, { id: 'support' }, { id: 'guild' }, { id: 'wide' }, { id: 'family' }] },
    bindings: [
      { match: { channel: 'telegram', accountId: '*' }, agentId: 'wide' },
      { match: { channel: 'telegram', accountId: 'work bot' }, agentId: 'Work Bot' },
      { match: { channel: 'discord', guildId: '5' }, agentId: 'guild' },
      { match: { channel: 'discord', peer: { kind: 'channel', id: '9911' } }, agentId: 'support' },
      { match: { channel: 'slack', teamId: 'T9' }, agentId: 'support' },
      { match: { channel: 'telegram', peer: { kind: 'dm', id: '555' } }, agentId: 'family' },
      { match: { channel: 'telegram', peer: { kind: 'direct', id: '555' } }, agentId: 'ops' },
    ],
  },
  'global': { session: { scope: 'global' } },
  hooks: { hooks: { enabled: true, token: 'test', allowRequestSessionKey: true } },
};
for (const dmScope of SCOPES) {
  configs[dmScope] = { session: { dmScope } };
  configs[`${dmScope}+links`] = { session: { dmScope, identityLinks: LINKS } };
}

const origins = [];
const add = (name, config, envelope, key, agentId = 'main') => origins.push({ name, config, envelope, agentId, key });

/* Written by hand: the tables of the manual. */
const telegramDm = (id, more = {}) => ({ channel: 'telegram', messageId: '501', chatType: 'direct', sender: { id, name: 'Ann' }, text: 'Hello', ...more });
const telegramGroup = (more = {}) => ({ channel: 'telegram', messageId: '77', chatType: 'group', sender: { id: '123' }, conversation: { id: '-1001234567890', name: 'Lab' }, mentioned: true, text: 'Status?', ...more });
const discordChannel = (more = {}) => ({ channel: 'discord', messageId: '1187', chatType: 'channel', sender: { id: '88' }, conversation: { id: '9911' }, guildId: '5', mentioned: true, text: 'Deploy?', ...more });
const slackChannel = { channel: 'slack', accountId: 'Work Bot', messageId: '1718.0003', chatType: 'channel', sender: { id: 'U7' }, conversation: { id: 'C0AB12' }, teamId: 'T9', mentioned: true, text: 'Help' };
const cron = (target) => ({ origin: { kind: 'cron' }, cron: { jobId: 'report', name: 'Report', runId: '2026-06-01T04:00Z', target }, text: 'Write the report' });
const UUID = '0f8fad5b-d9cb-469f-a165-70867728950e';

add('telegram dm', 'main', telegramDm('123'), 'agent:main:main');
add('telegram dm', 'per-peer', telegramDm('123'), 'agent:main:direct:123');
add('telegram dm', 'per-channel-peer', telegramDm('123'), 'agent:main:telegram:direct:123');
add('telegram dm', 'per-account-channel-peer', telegramDm('123'), 'agent:main:telegram:default:direct:123');
add('telegram dm, account Work Bot', 'main', telegramDm('123', { accountId: 'Work Bot' }), 'agent:main:main');
add('telegram dm, account Work Bot', 'per-peer', telegramDm('123', { accountId: 'Work Bot' }), 'agent:main:direct:123');
add('telegram dm, account Work Bot', 'per-channel-peer', telegramDm('123', { accountId: 'Work Bot' }), 'agent:main:telegram:direct:123');
add('telegram dm, account Work Bot', 'per-account-channel-peer', telegramDm('123', { accountId: 'Work Bot' }), 'agent:main:telegram:work-bot:direct:123');
add('telegram dm linked to alice', 'main+links', telegramDm('123'), 'agent:main:main');
add('telegram dm linked to alice', 'per-peer+links', telegramDm('123'), 'agent:main:direct:alice');
add('telegram dm linked to alice', 'per-channel-peer+links', telegramDm('123'), 'agent:main:telegram:direct:alice');
add('telegram dm linked to alice', 'per-account-channel-peer+links', telegramDm('123'), 'agent:main:telegram:default:direct:alice');
add('telegram dm without sender id', 'main', { channel: 'telegram', messageId: '1', chatType: 'direct', text: 'x' }, 'agent:main:main');
for (const scope of SCOPES) {
  add('telegram group', scope, telegramGroup(), 'agent:main:telegram:group:-1001234567890');
  add('telegram topic 42', scope, telegramGroup({ threadId: '42' }), 'agent:main:telegram:group:-1001234567890:topic:42');
  add('telegram General topic', scope, telegramGroup({ conversation: { id: '-1001234567890', kind: 'forum' } }), 'agent:main:telegram:group:-1001234567890:topic:1');
  add('discord channel', scope, discordChannel(), 'agent:main:discord:channel:9911');
  add('discord thread', scope, discordChannel({ threadId: '77' }), 'agent:main:discord:channel:9911:thread:77');
  add('cron isolated', scope, cron('isolated'), 'agent:main:cron:report');
  add('cron main', scope, cron('main'), 'agent:main:main');
  add('cron session:lab', scope, cron('session:lab'), 'agent:main:lab');
  add('cron session:Lab-Custom', scope, cron('session:Lab-Custom'), 'agent:main:lab-custom');
  add('webhook with a hook id', scope, { origin: { kind: 'hook' }, hook: { hookId: UUID }, text: 'x' }, `agent:main:hook:${UUID}`);
  add('node', scope, { origin: { kind: 'node' }, node: { nodeId: 'kitchen-pi' }, text: 'Door opened' }, 'agent:main:node-kitchen-pi');
  add('web chat', scope, { origin: { kind: 'webchat' }, text: 'hi' }, 'agent:main:main');
  add('web chat in another session', scope, { origin: { kind: 'webchat' }, sessionKey: 'Lab', text: 'hi' }, 'agent:main:lab');
}
add('slack channel bound to support', 'slack-team', slackChannel, 'agent:support:slack:channel:c0ab12', 'support');
add('slack channel unbound', 'main', slackChannel, 'agent:main:slack:channel:c0ab12');
add('telegram dm with a message thread', 'per-channel-peer', telegramDm('123', { threadId: '9' }), 'agent:main:telegram:direct:123');
add('telegram dm with a message thread', 'main', telegramDm('123', { threadId: '9' }), 'agent:main:main');
add('webhook with its own key', 'hooks', { origin: { kind: 'hook' }, hook: { name: 'build' }, sessionKey: 'hook:build', idempotencyKey: 'build-8812', text: 'Build failed' }, 'agent:main:hook:build');
add('webhook addressing main', 'hooks', { origin: { kind: 'hook' }, hook: {}, sessionKey: 'MAIN', text: 'x' }, 'agent:main:main');
add('discord dm linked to alice', 'per-peer+links', { ...telegramDm('987654321012345678'), channel: 'discord' }, 'agent:main:direct:alice');
add('slack dm linked by bare id', 'per-channel-peer+links', { ...telegramDm('u7'), channel: 'slack' }, 'agent:main:slack:direct:bob');
add('same id on another channel is not alice', 'per-peer+links', { ...telegramDm('123'), channel: 'whatsapp' }, 'agent:main:direct:123');
add('signal group keeps the case of its id', 'main', { ...telegramGroup(), channel: 'signal', conversation: { id: 'AbC+/dEf=' } }, 'agent:main:signal:group:AbC+/dEf=');
add('matrix room keeps the case of its id', 'main', { ...discordChannel(), channel: 'matrix', conversation: { id: '!AbC:Example.org' } }, 'agent:main:matrix:channel:!AbC:Example.org');
add('matrix thread folds only the thread', 'main', { ...discordChannel(), channel: 'matrix', conversation: { id: '!AbC:Example.org' }, threadId: '$EvT' }, 'agent:main:matrix:channel:!AbC:Example.org:thread:$evt');
add('signal dm folds the peer', 'per-peer', { ...telegramDm('ABC-Def'), channel: 'signal' }, 'agent:main:direct:abc-def');
add('slack thread folds its id', 'main', { ...slackChannel, threadId: '1718.AB' }, 'agent:main:slack:channel:c0ab12:thread:1718.ab');
add('telegram thread kind given', 'main', telegramGroup({ threadId: '5', threadKind: 'thread' }), 'agent:main:telegram:group:-1001234567890:thread:5');

add('scope global: dm', 'global', telegramDm('123'), 'global');
add('scope global: dm without sender', 'global', { channel: 'telegram', messageId: '1', chatType: 'direct', text: 'x' }, 'global');
add('scope global: web chat', 'global', { origin: { kind: 'webchat' }, text: 'hi' }, 'global');
add('scope global: cron main', 'global', cron('main'), 'global');
add('scope global: cron isolated', 'global', cron('isolated'), 'agent:main:cron:report');
add('scope global: group', 'global', telegramGroup(), 'agent:main:telegram:group:-1001234567890');
add('scope global: topic', 'global', telegramGroup({ threadId: '42' }), 'agent:main:telegram:group:-1001234567890:topic:42');
add('scope global: node', 'global', { origin: { kind: 'node' }, node: { nodeId: 'Pi 4' }, text: 'x' }, 'agent:main:node-pi 4');

add('exact peer before guild', 'bindings', discordChannel(), 'agent:support:discord:channel:9911', 'support');
add('guild', 'bindings', discordChannel({ conversation: { id: '12' } }), 'agent:guild:discord:channel:12', 'guild');
add('parent peer before guild', 'bindings', discordChannel({ conversation: { id: '13' }, threadId: '13', parentPeer: { kind: 'channel', id: '9911' } }), 'agent:support:discord:channel:13:thread:13', 'support');
add('team', 'bindings', slackChannel, 'agent:support:slack:channel:c0ab12', 'support');
add('account before channel-wide', 'bindings', telegramDm('1', { accountId: 'Work Bot' }), 'agent:work-bot:main', 'work-bot');
add('channel-wide', 'bindings', telegramDm('1'), 'agent:wide:main', 'wide');
add('earliest of equal bindings', 'bindings', telegramDm('555', { accountId: 'Work Bot' }), 'agent:family:main', 'family');
add('default agent', 'bindings', { ...telegramDm('1'), channel: 'whatsapp' }, 'agent:ops:main', 'ops');
add('explicit agent', 'bindings', telegramDm('555', { agentId: 'Work Bot' }), 'agent:work-bot:main', 'work-bot');
add('explicit agent, node', 'bindings', { origin: { kind: 'node' }, node: { nodeId: 'a' }, agentId: 'main', text: 'x' }, 'agent:main:node-a');

/* By rule: peers, accounts, conversations and threads of every channel under every scope. */
const PEERS = ['1', '42', '+4915112345678', 'User#1234', 'U0AB9', 'ann@example.org', '@ann:example.org', 'a_b-c.d=e', 'ÄÖ', 'alice'];
const ACCOUNTS = [undefined, 'default', 'Second Login', '__x'];
const ACCOUNT_SLUGS = { undefined: 'default', default: 'default', 'Second Login': 'second-login', __x: 'x' };
const CHANNELS = ['telegram', 'discord', 'slack', 'whatsapp', 'imessage'];

for (const scope of SCOPES) {
  for (const channel of CHANNELS) {
    PEERS.forEach((peer, index) => {
      const account = ACCOUNTS[index % ACCOUNTS.length];
      const id = peer.toLowerCase();
      const rest = { main: 'main', 'per-peer': `direct:${id}`, 'per-channel-peer': `${channel}:direct:${id}`, 'per-account-channel-peer': `${channel}:${ACCOUNT_SLUGS[account]}:direct:${id}` }[scope];
      add(`${channel} dm ${peer}`, scope, { channel, messageId: String(index), chatType: 'direct', sender: { id: peer }, ...(account === undefined ? {} : { accountId: account }), text: 'x' }, `agent:main:${rest}`);
    });
  }
}
const CONVERSATIONS = ['-100500', 'C0AB12', '120363@g.us', 'chat;-;x', 'a:b', 'Ünïcode', '19:meet@thread.v2'];
const THREADS = [undefined, '7', '1718000000.000300', 'AbC'];
for (const channel of CHANNELS) {
  for (const chatType of ['group', 'channel']) {
    for (const id of CONVERSATIONS) {
      for (const threadId of THREADS) {
        const suffix = threadId === undefined ? '' : `:${channel === 'telegram' ? 'topic' : 'thread'}:${threadId.toLowerCase()}`;
        const envelope = { channel, messageId: '1', chatType, sender: { id: '5' }, conversation: { id }, ...(threadId === undefined ? {} : { threadId }), text: 'x' };
        add(`${channel} ${chatType} ${id} ${threadId ?? ''}`.trim(), SCOPES[(id.length + chatType.length) % SCOPES.length], envelope, `agent:main:${channel}:${chatType}:${id.toLowerCase()}${suffix}`);
      }
    }
  }
}

const lines = origins.map((origin) => JSON.stringify(origin)).join(',\n');
const file = fileURLToPath(new URL('origins.json', import.meta.url));
writeFileSync(file, `{\n"configs": ${JSON.stringify(configs, null, 1)},\n"origins": [\n${lines}\n]\n}\n`);

/**
 * `npm run demo`: the point of the session system in under a minute, on real processes.
 *
 * In a temporary directory: the same messages under each `dmScope` and the sessions that they make,
 * then writers, `kill -9` in the middle of their writes, and the count of what is there afterwards.
 * Exit 1 when anything acknowledged is missing, there twice, or out of order.
 */
import { setUp } from './setup.mjs';
import { demonstrateCrash } from './demo/crash.mjs';
import { openclaw, prepare, startGateway } from './demo/gateway.mjs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const DM_SCOPES = [
  ['main', 'everyone shares the main session'],
  ['per-peer', 'one session a person id, whatever the channel'],
  ['per-channel-peer', 'one session a person and channel'],
  ['per-account-channel-peer', 'one session a person, channel and account of ours'],
];

const direct = (channel, id, from, more = {}) => ({
  channel, messageId: id, chatType: 'direct', sender: { id: from }, text: `Hello from ${from} on ${channel}`, ...more,
});

/** Two people, three channels, two accounts, a group and a thread. Discord's U88 is Telegram's 123. */
const MESSAGES = [
  direct('telegram', '1', '123'),
  direct('telegram', '2', '123', { accountId: 'Work Bot' }),
  direct('discord', '3', 'U88'),
  direct('telegram', '4', '456'),
  direct('slack', '5', '456'),
  {
    channel: 'telegram', messageId: '6', chatType: 'group', sender: { id: '123' }, conversation: { id: '-1001', name: 'Lab' },
    threadId: '42', mentioned: true, text: 'A question in a topic of a group',
  },
  {
    channel: 'discord', messageId: '7', chatType: 'channel', sender: { id: 'U88' }, conversation: { id: '9911' },
    threadId: '77', mentioned: true, text: 'A question in a thread of a channel',
  },
];
const IDENTITY_LINKS = { ann: ['telegram:123', 'discord:U88'] };

const say = (line) => process.stdout.write(`${line}\n`);
const indent = (text) => text.trimEnd().split('\n').map((line) => `  ${line}`).join('\n');

async function demonstrateScope(stateDir, dmScope, meaning) {
  prepare(stateDir, { dmScope, identityLinks: IDENTITY_LINKS });
  const gateway = await startGateway(stateDir);
  for (const message of MESSAGES) {
    if ((await gateway.send(message)) === undefined) throw new Error('the gateway ended before it answered');
  }
  say(`\ndmScope "${dmScope}": ${meaning}`);
  say(indent(await openclaw(stateDir, 'sessions', 'list')));
  const code = await gateway.stop();
  if (code !== 0) throw new Error(`the gateway ended with exit ${code}`);
}

setUp();
const beganAtMs = performance.now();
const directory = mkdtempSync(path.join(tmpdir(), 'openclaw-demo-'));
let proved = false;
try {
  say(`${MESSAGES.length} messages: two people on three channels (one of them known on two), a group topic, a thread`);
  for (const [dmScope, meaning] of DM_SCOPES) await demonstrateScope(path.join(directory, dmScope), dmScope, meaning);
  say('\nEight writers, and a gateway that is killed in the middle of their writes, three times');
  const stateDir = path.join(directory, 'crash');
  prepare(stateDir, { dmScope: 'per-channel-peer' });
  proved = await demonstrateCrash(stateDir, say);
} catch (error) {
  say(`\n${error.message}`);
}
const seconds = ((performance.now() - beganAtMs) / 1000).toFixed(0);
if (proved) {
  rmSync(directory, { recursive: true, force: true });
  say(`\nNothing acknowledged is missing, doubled or out of order (${seconds} s).`);
} else {
  say(`\nThe demonstration FAILED; its files are in ${directory}`);
  process.exitCode = 1;
}

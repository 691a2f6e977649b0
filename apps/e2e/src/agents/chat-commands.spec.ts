/**
 * Every command of a chat, said in a group through a gateway with its runner: by a sender who may not, by one
 * who may what everybody may, and by the owner. Who may not changes nothing, is answered nothing, and asks
 * no model; who may is answered, in the chat too.
 */
import { Conversation, Envelope, GetEntryRequest, Sender, SubmitMessageRequest, type SubmitMessageResponse } from '@sessions/contracts';
import { waitUntil } from '../support/wait-until';
import { openInProcess, type GatewayInProcess } from './gateway-in-process';

const KEY = 'agent:main:telegram:group:g1';
type Authority = 'owner' | 'allowed' | 'other';
type Members = Readonly<Record<string, unknown>>;

interface Case {
  readonly text: string;
  /** The least that the sender has to be. */
  readonly may: 'owner' | 'allowed';
  readonly reply: RegExp;
  /** What stands in the entry afterwards; undefined: gone. */
  readonly members?: Members;
  /** Reason of a reset that it is. */
  readonly resets?: string;
}

const CASES: readonly Case[] = [
  { text: '/status', may: 'allowed', reply: /^Context: [\s\S]*\nModel: local\/small \(default\)\nCompactions: 0$/u },
  { text: '/context list', may: 'allowed', reply: /^systemPrompt\.chars: \d+\n/u },
  { text: '/context json', may: 'allowed', reply: /^\{/u },
  { text: '/model', may: 'allowed', reply: /^Model: local\/small \(default\)$/u },
  { text: '/model local/large', may: 'allowed', reply: /^Model set to local\/large\.$/u, members: { providerOverride: 'local', modelOverride: 'large' } },
  { text: '/model default', may: 'allowed', reply: /^Model: back to the default\.$/u, members: { modelOverride: undefined } },
  { text: '/activation always', may: 'owner', reply: /^Activation: always\.$/u, members: { groupActivation: 'always' } },
  { text: '/activation mention', may: 'owner', reply: /^Activation: mention\.$/u, members: { groupActivation: 'mention' } },
  { text: '/send on', may: 'owner', reply: /^Send policy: allow\.$/u, members: { sendPolicy: 'allow' } },
  { text: '/send inherit', may: 'owner', reply: /^Send policy: inherit\.$/u, members: { sendPolicy: undefined } },
  { text: '/queue collect', may: 'allowed', reply: /^queue: collect, debounce 500 ms, cap 20, drop summarize$/u, members: { queueMode: 'collect' } },
  { text: '/think high', may: 'allowed', reply: /^think: high\.$/u, members: { thinkingLevel: 'high' } },
  { text: '/verbose full', may: 'allowed', reply: /^verbose: full\.$/u, members: { verboseLevel: 'full' } },
  { text: '/reasoning stream', may: 'allowed', reply: /^reasoning: stream\.$/u, members: { reasoningLevel: 'stream' } },
  { text: '/elevated ask', may: 'allowed', reply: /^elevated: ask\.$/u, members: { elevatedLevel: 'ask' } },
  { text: '/exec host=gateway ask=always', may: 'allowed', reply: /^exec: host gateway, ask always$/u, members: { execHost: 'gateway', execAsk: 'always' } },
  { text: '/subagents list', may: 'allowed', reply: /^No sub-agents in the last 30 minutes\.$/u },
  { text: '/kill all', may: 'allowed', reply: /^Killed 0 sub-agents\.$/u },
  { text: '/stop', may: 'allowed', reply: /^Stopped 0 runs: none was active or queued\.$/u },
  { text: '/focus', may: 'allowed', reply: /\w/u },
  { text: '/unfocus', may: 'allowed', reply: /\w/u },
  { text: '/session idle 2h', may: 'allowed', reply: /\w/u },
  { text: '/compact', may: 'allowed', reply: /^(?:Compaction started|No compaction needed)/u },
  { text: '/export-trajectory bug-1', may: 'owner', reply: /sent to you privately/u },
  { text: '/trajectory', may: 'owner', reply: /sent to you privately/u },
  { text: '/clear', may: 'allowed', reply: /^History cleared\.$/u, resets: 'clear', members: { thinkingLevel: 'high', queueMode: 'collect' } },
  { text: '/new', may: 'allowed', reply: /^New session started\.$/u, resets: 'new', members: { thinkingLevel: 'high' } },
  { text: '/reset', may: 'allowed', reply: /^Session reset\.$/u, resets: 'reset', members: { thinkingLevel: 'high' } },
];

let gateway: GatewayInProcess;
const heard: string[] = [];
let sent = 0;

beforeAll(async () => {
  gateway = await openInProcess({ session: { reset: { mode: 'none' } } }, { compacts: true });
  gateway.adapter({ channel: 'telegram', accountId: 'default' }, ({ text }) => void heard.push(text));
  gateway.model.answer = () => ({ chunks: ['Good day'] });
});
afterAll(() => gateway.stop());

function say(text: string, authority: Authority): Promise<SubmitMessageResponse> {
  const envelope = Envelope.create({ channel: 'telegram', accountId: 'default', messageId: `m${String((sent += 1))}`, chatType: 'group', sender: Sender.create({ id: 'p1', authority }), conversation: Conversation.create({ id: 'g1' }), mentioned: true, text });
  return gateway.router.submitMessage(SubmitMessageRequest.create({ envelope }));
}

async function entry(): Promise<Members> {
  const { entryJson } = await gateway.store.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY } }));
  return JSON.parse(entryJson.toString('utf8')) as Members;
}

const lasting = ({ lastInteractionAt: _, ...members }: Members): Members => members;

/** A message with a turn, answered, so that a command finds a conversation. */
async function talk(text: string): Promise<void> {
  const before = heard.length;
  await say(text, 'allowed');
  await waitUntil('an answer', () => (heard.length > before ? true : undefined), 60_000);
  await gateway.idle('main');
  // What an earlier case has begun (/compact) changes the entry when it ends.
  await waitUntil('no compaction under way', async () => ((await entry())['pendingCompaction'] === undefined ? true : undefined), 60_000);
}

it.each(CASES)('$text is carried out for $may and above, and is nothing of anybody else', async ({ text, may, reply, members = {}, resets }) => {
  await talk('Hello');
  const [before, asked, told] = [await entry(), gateway.model.asked.length, heard.length];
  for (const authority of may === 'owner' ? (['other', 'allowed'] as const) : (['other'] as const)) {
    expect(await say(text, authority)).toMatchObject({ status: 'ignored', ignoredReason: 'unauthorised_command', reply: undefined, runId: undefined, sessionId: before['sessionId'] });
  }
  expect(lasting(await entry())).toEqual(lasting(before));
  await gateway.idle('main');
  expect([gateway.model.asked.length, heard.length]).toEqual([asked, told]);
  const answer = await say(text, may);
  expect(answer).toMatchObject({ status: 'handled', reply: expect.stringMatching(reply) as string, runId: undefined });
  expect(answer.reset?.reason).toBe(resets);
  const after = await entry();
  for (const [name, value] of Object.entries(members)) expect([name, after[name]]).toEqual([name, value]);
  expect(after['sessionId'] === before['sessionId']).toBe(resets === undefined);
  if (resets !== undefined) expect(after).toMatchObject({ lastResetReason: resets, previousSessionId: before['sessionId'] });
});

it.each([
  ['/new local write a poem', 'new', 'write a poem'],
  ['/reset plan the week', 'reset', 'plan the week'],
])('%s begins a session with the rest as its first prompt, of those who may', async (text, reason, prompt) => {
  await talk('Hello');
  const before = await entry();
  const asked = gateway.model.asked.length;
  expect(await say(text, 'other')).toMatchObject({ status: 'ignored' });
  expect((await entry())['sessionId']).toBe(before['sessionId']);
  expect(await say(text, 'allowed')).toMatchObject({ status: 'accepted', reset: { reason, previousSessionId: before['sessionId'] } });
  await gateway.idle('main');
  const messages = gateway.model.asked.slice(asked).map(({ body }) => JSON.stringify(body['messages']));
  expect(messages).toHaveLength(1);
  expect(messages[0]).toContain(prompt);
  expect(messages[0]).not.toContain(text.split(' ')[0] ?? '');
  expect(messages[0]).not.toContain('Hello');
});

it('takes settings and /status inside a message for its turn alone, of those who may', async () => {
  await talk('/new');
  const before = await entry();
  const asked = gateway.model.asked.length;
  expect(await say('count /think low /verbose on /status to three', 'allowed')).toMatchObject({ status: 'accepted', reply: expect.stringContaining('Compactions: 0') as string });
  await gateway.idle('main');
  expect(await say('count /think low /status to four', 'other')).toMatchObject({ status: 'accepted', reply: undefined });
  await gateway.idle('main');
  const texts = gateway.model.asked.slice(asked).map(({ body }) => (body['messages'] as { role: string; content: unknown }[]).findLast(({ role }) => role === 'user')?.content).map((content) => JSON.stringify(content));
  expect(texts).toEqual([expect.stringContaining('count to three') as string, expect.stringContaining('count /think low /status to four') as string]);
  const after = await entry();
  for (const name of ['thinkingLevel', 'verboseLevel']) expect([name, after[name]]).toEqual([name, before[name]]);
});

/**
 * What one person said is in no prompt of another, unless the scope says that they share a session; and
 * what is kept of it is plain: one JSON object, and one JSON object a line.
 */
import { readFileSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import { Conversation, Envelope, Sender, SubmitMessageRequest } from '@sessions/contracts';
import { openInProcess, type GatewayInProcess } from './gateway-in-process';

const SECRET = 'the blue door code is 4711';
const ANSWER = 'I shall remember that for you';
const SCOPES = ['main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer'] as const;

/** The person that A is, and those who write afterwards. */
const A = { channel: 'telegram', accountId: 'default', peer: 'ann' };
const OTHERS = [
  { who: 'another person', channel: 'telegram', accountId: 'default', peer: 'bob' },
  { who: 'the same id on another channel', channel: 'discord', accountId: 'default', peer: 'ann' },
  { who: 'the same id at another account', channel: 'telegram', accountId: 'work', peer: 'ann' },
] as const;
/** Whose prompt may hold what A said. */
const SHARED: Readonly<Record<(typeof SCOPES)[number], readonly string[]>> = {
  main: OTHERS.map(({ who }) => who),
  'per-peer': ['the same id on another channel', 'the same id at another account'],
  'per-channel-peer': ['the same id at another account'],
  'per-account-channel-peer': [],
};

let gateway: GatewayInProcess;
let stopped: Promise<void> | undefined;
afterEach(() => (stopped ??= gateway.stop()));

let sent = 0;
/** @returns everything that the model was given for this message */
async function promptOf({ channel, accountId, peer }: typeof A, text: string): Promise<string> {
  const asked = gateway.model.asked.length;
  const messageId = `m${String((sent += 1))}`;
  await gateway.router.submitMessage(SubmitMessageRequest.create({ envelope: Envelope.create({ channel, accountId, messageId, chatType: 'direct', sender: Sender.create({ id: peer }), conversation: Conversation.create({ id: peer }), text }) }));
  await gateway.idle('main');
  expect(gateway.model.asked.length).toBeGreaterThan(asked);
  return JSON.stringify(gateway.model.asked.slice(asked).map(({ body }) => body));
}

it.each(SCOPES)('under %s a prompt holds what was said in its own session, and nothing of another', async (dmScope) => {
  stopped = undefined;
  gateway = await openInProcess({ session: { dmScope } });
  for (const channel of ['telegram', 'discord']) for (const accountId of ['default', 'work']) gateway.adapter({ channel, accountId }, () => undefined);
  gateway.model.answer = () => ({ chunks: [ANSWER], usage: { input: 10, output: 2 } });
  expect(await promptOf(A, SECRET)).toContain(SECRET);
  for (const { who, ...from } of OTHERS) {
    const prompt = await promptOf(from, 'What is the code?');
    const isShared = SHARED[dmScope].includes(who);
    expect([who, prompt.includes(SECRET)]).toEqual([who, isShared]);
  }
  // A's own conversation goes on with all of it.
  expect(await promptOf(A, 'And now?')).toContain(SECRET);
});

it('keeps an object of entries and a line of JSON for each record, which any tool can read', async () => {
  stopped = undefined;
  gateway = await openInProcess({ session: { dmScope: 'per-channel-peer', storeFlush: 'sync' } });
  gateway.adapter({ channel: 'telegram', accountId: 'default' }, () => undefined);
  gateway.model.answer = () => ({ chunks: [ANSWER], usage: { input: 10, output: 2 } });
  const said = ['plain', 'with "quotes" and \\ and \u2028', 'l\u00f6nger \ud83d\udeaa\nand a line', '\u0007 bell'];
  for (const text of said) await promptOf(A, text);
  const dir = path.join(gateway.stateDir, 'agents', 'main', 'sessions');
  const index = JSON.parse(readFileSync(path.join(dir, 'sessions.json'), 'utf8')) as Record<string, { sessionId: string }>;
  expect(Object.keys(index)).toEqual(['agent:main:telegram:direct:ann']);
  const transcripts = readdirSync(dir).filter((name) => name.endsWith('.jsonl') && !name.includes('.trajectory.'));
  expect(transcripts).toEqual([`${index['agent:main:telegram:direct:ann']?.sessionId ?? ''}.jsonl`]);
  const text = readFileSync(path.join(dir, transcripts[0] ?? ''), 'utf8');
  expect(text.endsWith('\n')).toBe(true);
  const records = text.slice(0, -1).split('\n').map((line) => JSON.parse(line) as { type: string; message?: { role: string; content: unknown } });
  expect(records[0]?.type).toBe('session');
  const messages = records.flatMap(({ message }) => (message === undefined ? [] : [message]));
  expect(messages.map(({ role }) => role)).toEqual(said.flatMap(() => ['user', 'assistant']));
  for (const [at, one] of said.entries()) expect(JSON.stringify(messages[2 * at]?.content)).toContain(JSON.stringify(one).slice(1, -1));
});

/** What a person hears who asks in the chat about the session: what the window holds, and what the model is told. */
import { Conversation, Envelope, Sender, SubmitMessageRequest } from '@sessions/contracts';
import { waitUntil } from '../support/wait-until';
import { openInProcess, type GatewayInProcess } from './gateway-in-process';

describe('a person who asks in the chat', () => {
  let gateway: GatewayInProcess;
  const heard: string[] = [];
  afterEach(() => gateway.stop());

  let sent = 0;
  async function ask(text: string): Promise<string> {
    const before = heard.length;
    const messageId = `m${String((sent += 1))}`;
    await gateway.router.submitMessage(SubmitMessageRequest.create({ envelope: Envelope.create({ channel: 'telegram', accountId: 'default', messageId, chatType: 'direct', sender: Sender.create({ id: 'p1', authority: 'owner' }), conversation: Conversation.create({ id: 'p1' }), text }) }));
    return waitUntil(`an answer to ${text}`, () => heard[before], 60_000);
  }

  it('hears how much of the window is used, of which model, and the parts of the system prompt with their sizes', async () => {
    gateway = await openInProcess({});
    gateway.adapter({ channel: 'telegram', accountId: 'default' }, ({ text }) => void heard.push(text));
    gateway.model.answer = () => ({ chunks: ['Good day'], usage: { input: 19_000, output: 1_000 } });
    expect(await ask('Hello')).toBe('Good day');
    expect((await ask('/status')).split('\n')).toEqual(['Context: 20000 (10%) of 200000 tokens', 'Model: local/small (default)', 'Compactions: 0']);
    const prompt = String((gateway.model.asked[0]?.body['messages'] as { readonly content: unknown }[] | undefined)?.[0]?.content);
    const parts = Object.fromEntries((await ask('/context list')).split('\n').map((line) => line.split(': ') as [string, string]));
    expect(Number(parts['systemPrompt.chars'])).toBe(prompt.length);
    expect(Object.keys(parts)).toEqual(['systemPrompt.chars', 'systemPrompt.parts.identity', 'systemPrompt.parts.task', 'systemPrompt.parts.tools', 'systemPrompt.parts.origin', 'systemPrompt.parts.silence', 'tools.chars']);
    expect(Number(parts['tools.chars'])).toBeGreaterThan(1_000);
    expect(await ask('/context detail')).toMatch(/^tools\.entries: \d+ entries$/mu);
    expect((JSON.parse(await ask('/context json')) as { tools: { entries: { name: string }[] } }).tools.entries.map(({ name }) => name)).toContain('session_status');
  });
});

/**
 * One session for all senders (`session.scope: "global"`): its agent has the same tools as any other, others
 * name it by its agent's main key, and what they send back comes to it and not to another agent's.
 */
import { ReadHistoryRequest, SubmitMessageRequest, Envelope, Sender } from '@sessions/contracts';
import { openInProcess } from './gateway-in-process';
import type { GatewayInProcess } from './gateway-in-process';
import { obedientModel } from './obedient-model';

const MAIN = 'agent:main:main';
const OPS = 'agent:ops:main';

interface Message {
  readonly role: string;
  readonly text: string;
}

describe('agents whose senders share one session', () => {
  let gateway: GatewayInProcess;
  afterEach(() => gateway.stop());

  const shared = async (agentId: string): Promise<Message[]> => {
    const messages: Message[] = [];
    for await (const { item } of gateway.store.readHistory(ReadHistoryRequest.create({ agentId, by: { $case: 'key', value: 'global' }, includeTools: true }))) {
      if (item?.$case !== 'records') continue;
      for (const { lineJson } of item.value.records) {
        const { message } = JSON.parse(Buffer.from(lineJson).toString('utf8')) as { message: { role: string; content: string | { text?: string }[] } };
        messages.push({ role: message.role, text: typeof message.content === 'string' ? message.content : message.content.map(({ text = '' }) => text).join('') });
      }
    }
    return messages;
  };
  const say = async (messageId: string, lines: readonly string[]): Promise<Record<string, unknown>[]> => {
    const before = (await shared('main')).length;
    const envelope = Envelope.create({ channel: 'telegram', messageId, chatType: 'direct', sender: Sender.create({ id: messageId }), text: lines.join('\n') });
    expect(await gateway.router.submitMessage(SubmitMessageRequest.create({ envelope, waitMs: 120_000 }))).toMatchObject({ sessionKey: 'global', outcome: 'ok' });
    return (await shared('main')).slice(before).filter(({ role }) => role === 'toolResult').map(({ text }) => JSON.parse(text) as Record<string, unknown>);
  };
  const tool = (name: string, args: object): string => `do: ${name} ${JSON.stringify(args)}`;

  it('list, spawn and send from it, and have each answer once', async () => {
    gateway = await openInProcess({
      session: { scope: 'global', agentToAgent: { maxPingPongTurns: 2 } },
      agents: { defaults: { model: { primary: 'local/small' }, subagents: { allowAgents: ['*'] } }, list: [{ id: 'main' }, { id: 'ops' }] },
      tools: { sessions: { visibility: 'all' }, agentToAgent: { enabled: true, allow: ['*'] } },
    });
    gateway.adapter({ channel: 'telegram', accountId: 'default' }, () => undefined);
    const turns: string[] = [];
    gateway.model.answer = obedientModel(({ sessionKey, message }) => {
      turns.push(sessionKey);
      if (message.includes('the question')) return { chunks: ['the answer'] };
      if (message.includes('the answer')) return { chunks: ['one more thing'] };
      return { chunks: [message.includes('one more thing') ? 'REPLY_SKIP' : 'NO_REPLY'] };
    });
    const [, status, own, far] = await say('1', ['do: sessions_list {}', 'do: session_status {}', tool('sessions_spawn', { task: 'say: found here', label: 'own' }), tool('sessions_spawn', { task: 'say: found there', label: 'far', agentId: 'ops' }), 'say: spawned']);
    expect(status).toMatchObject({ key: MAIN });
    expect([own, far]).toMatchObject([{ status: 'accepted' }, { status: 'accepted' }]);
    for (const agentId of ['main', 'ops', 'main']) await gateway.idle(agentId);
    const results = (await shared('main')).filter(({ role, text }) => role === 'user' && text.includes('Result of the sub-agent'));
    expect(results.map(({ text }) => /sub-agent "(\w+)"/u.exec(text)?.[1]).sort()).toEqual(['far', 'own']);

    turns.length = 0;
    const [listed, sent, children] = await say('2', ['do: sessions_list {}', tool('sessions_send', { sessionKey: OPS, message: 'the question', timeoutSeconds: 60 }), 'do: subagents {}', 'say: asked']);
    expect((listed?.['sessions'] as { key: string }[]).map(({ key }) => key).sort()).toEqual([own?.['childSessionKey'], far?.['childSessionKey'], 'main'].sort());
    expect(sent).toMatchObject({ status: 'ok', reply: 'the answer', sessionKey: OPS });
    expect((children?.['recent'] as { label: string }[]).map(({ label }) => label).sort()).toEqual(['far', 'own']);
    for (const agentId of ['main', 'ops', 'main', 'ops']) await gateway.idle(agentId);
    // The one that asked is spoken to first, then the one that was asked; nobody speaks to himself.
    expect(turns).toEqual([OPS, MAIN, OPS]);
    expect((await shared('ops')).filter(({ role }) => role === 'user').map(({ text }) => [/sourceSession=(\S+)/u.exec(text)?.[1], text.split('\n').at(-1)])).toEqual([[MAIN, 'the question'], [MAIN, 'one more thing']]);
  }, 240_000);
});

/** Notes before a compaction, through runner, router and owner: written into the workspace, told to nobody. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { Conversation, Envelope, Sender, SubmitMessageRequest } from '@sessions/contracts';
import type { Delivery } from '@sessions/contracts';
import { openInProcess } from './gateway-in-process';
import type { GatewayInProcess } from './gateway-in-process';

const ASKS_FOR_NOTES = 'will be summarised soon';
const NEAR_THE_WINDOW = { input: 80_000, output: 10 };

describe('a conversation that comes near its window', () => {
  let workspace: string;
  let gateway: GatewayInProcess;
  const delivered: Delivery[] = [];
  const offered: string[][] = [];
  const begin = async (more: object = {}): Promise<void> => {
    workspace = mkdtempSync(path.join(tmpdir(), 'notes-'));
    delivered.length = 0;
    offered.length = 0;
    gateway = await openInProcess({ agents: { defaults: { model: { primary: 'local/small' }, contextTokens: 100_000, workspace } }, ...more });
    gateway.adapter({ channel: 'telegram', accountId: 'default' }, (delivery) => delivered.push(delivery));
    gateway.model.answer = ({ text, body }) => {
      if (!text.includes(ASKS_FOR_NOTES)) return { chunks: ['the answer'], usage: NEAR_THE_WINDOW };
      offered.push(((body['tools'] ?? []) as { readonly function: { readonly name: string } }[]).map((tool) => tool.function.name));
      if ((body['messages'] as { readonly role: string }[]).at(-1)?.role === 'tool') return { chunks: ['All notes are saved.'], usage: NEAR_THE_WINDOW };
      return { toolCalls: [{ id: 'call_1', name: 'memory_append', arguments: { path: /memory\/[\d-]{10}\.md/u.exec(text)?.[0], text: '- likes tea' } }], usage: NEAR_THE_WINDOW };
    };
    await gateway.router.submitMessage(
      SubmitMessageRequest.create({ envelope: Envelope.create({ channel: 'telegram', accountId: 'default', messageId: 'm1', chatType: 'direct', sender: Sender.create({ id: 'p1' }), conversation: Conversation.create({ id: 'p1' }), text: 'Hello' }) }),
    );
    await gateway.idle('main');
  };
  afterEach(async () => {
    await gateway.stop();
    rmSync(workspace, { recursive: true, force: true });
  });

  it('has its notes written in the silent turn, which no channel hears of', async () => {
    await begin();
    const [name = ''] = readdirSync(path.join(workspace, 'memory'));
    expect(name).toMatch(/^\d{4}-\d{2}-\d{2}\.md$/u);
    expect(readFileSync(path.join(workspace, 'memory', name), 'utf8')).toBe('- likes tea\n');
    expect(offered).toEqual([['memory_append'], ['memory_append']]);
    expect(delivered.map(({ text }) => text)).toEqual(['the answer']);
  });

  it('writes none where the tool is denied', async () => {
    await begin({ tools: { deny: ['memory_*'] } });
    expect(existsSync(path.join(workspace, 'memory'))).toBe(false);
    expect(delivered.map(({ text }) => text)).toEqual(['the answer']);
  });
});

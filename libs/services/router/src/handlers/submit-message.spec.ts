import { Envelope, SubmitMessageRequest } from '@sessions/contracts';
import type { DeliverRequest } from '@sessions/contracts';
import { createClient, createSubjects } from '@sessions/bus';
import { RouterServiceService } from '@sessions/contracts';
import { TOKEN, startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';

const CONFIG = {
  session: { dmScope: 'per-account-channel-peer', identityLinks: { alice: ['telegram:77'] } },
  agents: { list: [{ id: 'main' }, { id: 'support' }] },
  bindings: [{ match: { channel: 'slack', teamId: 'T9' }, agentId: 'support' }],
  hooks: { enabled: true, token: 'hook-token', allowRequestSessionKey: true },
};

/** One of each origin, every member of the envelope at least once; the key that it goes to. */
const MESSAGES: readonly (readonly [Record<string, unknown>, string])[] = [
  [{ channel: 'telegram', messageId: '501', chatType: 'direct', sender: { id: '123', name: 'Ann', username: 'ann', authority: 'owner' }, text: 'Hello' }, 'agent:main:telegram:default:direct:123'],
  [{ channel: 'telegram', accountId: 'Work Bot', messageId: '502', chatType: 'direct', sender: { id: '77' }, text: 'Hi', sentAtMs: 5, replyToMessageId: '500' }, 'agent:main:telegram:work-bot:direct:alice'],
  [{ channel: 'telegram', messageId: '77', chatType: 'group', sender: { id: '123' }, conversation: { id: '-1001234567890', name: 'Lab', kind: 'forum' }, threadId: '42', threadKind: 'topic', mentioned: true, text: 'Status?' }, 'agent:main:telegram:group:-1001234567890:topic:42'],
  [{ channel: 'discord', messageId: '1187', chatType: 'channel', sender: { id: '88' }, conversation: { id: '9911' }, threadId: '77', guildId: '5', parentPeer: { kind: 'channel', id: '9911' }, mentioned: false, text: 'Deploy?' }, 'agent:main:discord:channel:9911:thread:77'],
  [{ channel: 'slack', accountId: 'Work Bot', messageId: '1718.0003', chatType: 'channel', sender: { id: 'U7' }, conversation: { id: 'C0AB12' }, teamId: 'T9', mentioned: true, text: 'Help', deliver: false }, 'agent:support:slack:channel:c0ab12'],
  [{ origin: { kind: 'cron' }, cron: { jobId: 'report', name: 'Report', runId: '2026-06-01T04:00Z', target: 'isolated' }, text: 'Write the report' }, 'agent:main:cron:report'],
  [{ origin: { kind: 'cron' }, cron: { jobId: 'report', runId: 'r2', target: 'session:lab' }, text: 'x', agentId: 'support' }, 'agent:support:lab'],
  [{ origin: { kind: 'hook' }, hook: { hookId: 'h-1', name: 'build' }, idempotencyKey: 'build-1', text: 'Build failed' }, 'agent:main:hook:h-1'],
  [{ origin: { kind: 'hook' }, hook: { name: 'build' }, sessionKey: 'hook:build', idempotencyKey: 'build-8812', text: 'Build failed' }, 'agent:main:hook:build'],
  [{ origin: { kind: 'node' }, node: { nodeId: 'kitchen-pi' }, idempotencyKey: 'n-1', text: 'Door opened', replyRoute: { channel: 'telegram', to: '123', accountId: 'a', threadId: '9' } }, 'agent:main:node-kitchen-pi'],
  [{ origin: { kind: 'webchat' }, sessionKey: 'notes', idempotencyKey: 'w-1', text: 'note', attachments: [{ name: 'a.png', mimeType: 'image/png', content: 'AAAA' }] }, 'agent:main:notes'],
];

const toProto = ({ origin, attachments, ...members }: Record<string, unknown>): Envelope =>
  Envelope.create({
    ...(members as Partial<Envelope>),
    ...(origin !== undefined && { originKind: (origin as { kind: string }).kind }),
    ...(attachments !== undefined && {
      attachments: (attachments as { name: string; mimeType: string; content: string }[]).map((file) => ({ ...file, content: Buffer.from(file.content, 'base64'), uploadId: undefined })),
    }),
  });

let running: RunningRouter;
beforeEach(async () => void (running = await startRouter(CONFIG)));
afterEach(() => running.stop());

/** The request on its way, without what must differ from door to door. */
const seen = (): DeliverRequest | undefined => running.stores.delivered.at(-1);

describe('a message from outside', () => {
  it.each(MESSAGES.map(([message, key]) => [key, message] as const))('reaches %s alike over HTTP and RPC', async (key, message) => {
    const response = await fetch(`${running.url}/v1/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify(message),
    });
    expect(await response.json()).toMatchObject({ ok: true, status: 'accepted', sessionKey: key });
    const overHttp = seen();
    const subjects = createSubjects();
    const client = createClient(running.bus, RouterServiceService, { caller: 'service:test/1', subject: (method) => subjects.router(method) });
    const sent = SubmitMessageRequest.decode(SubmitMessageRequest.encode(SubmitMessageRequest.create({ envelope: toProto(message) })).finish());
    // The same idempotency key over either door: it is one message.
    expect(await client.submitMessage(sent)).toMatchObject({ status: 'duplicate', sessionKey: key });
    expect(running.stores.delivered).toHaveLength(2);
    expect(seen()).toEqual(overHttp);
  });

  it('carries what the owner needs to know of it', async () => {
    const [message] = MESSAGES[2] ?? [{}];
    await fetch(`${running.url}/v1/messages`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body: JSON.stringify(message) });
    expect(seen()).toMatchObject({
      agentId: 'main',
      route: {
        originKind: 'channel', channel: 'telegram', accountId: 'default', chatType: 'group', peer: { kind: 'group', id: '-1001234567890' }, threadId: '42',
        conversationName: 'Lab', matchedBy: 'default', replyRoute: { channel: 'telegram', to: '-1001234567890', threadId: '42' },
      },
      message: { role: 'user', text: 'Status?', mentioned: true, sender: { id: '123', authority: 'allowed' }, channelMessage: { channel: 'telegram', messageId: '77' }, bookkeeping: false },
    });
    expect(seen()?.run).toMatchObject({ runId: expect.stringMatching(/^[0-9a-f-]{36}$/), source: 'channel', deliver: true, replyRoute: { channel: 'telegram', to: '-1001234567890', threadId: '42' } });
  });

  it('does not count cron, hooks and nodes as somebody who interacts', async () => {
    for (const place of [5, 7, 9]) {
      await fetch(`${running.url}/v1/messages`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body: JSON.stringify(MESSAGES[place]?.[0]) });
      expect(seen()?.message?.bookkeeping).toBe(true);
    }
  });
});

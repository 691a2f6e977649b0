/**
 * The limit of what one message of a person may cost, with a model that has a price: a ring of agents
 * stops at it, and what turns have spent that are still at work counts.
 */
import { Conversation, Envelope, Sender, SubmitMessageRequest } from '@sessions/contracts';
import type { AskedModel, ScriptedAnswer } from '@sessions/llm/testing';
import { openInProcess } from './gateway-in-process';
import type { GatewayInProcess } from './gateway-in-process';
import { obedientModel } from './obedient-model';
import type { ObedientTurn } from './obedient-model';

/** At the price below each answer of the model costs one cent. */
const USAGE = { input: 10_000, output: 0 };
const COST = { input: 1, output: 1 };
const AGENTS = ['ann', 'bob', 'cyd'] as const;
const LIMIT_CENTS = 5;

let gateway: GatewayInProcess;
let otherwise: (turn: ObedientTurn) => ScriptedAnswer;
/** Results of tools as the model was given them, in order. */
let heard: string[];

beforeEach(async () => {
  gateway = await openInProcess(
    {
      agents: { defaults: { model: { primary: 'local/small' } }, list: AGENTS.map((id) => ({ id })) },
      session: { agentToAgent: { maxPingPongTurns: 0 } },
      tools: { sessions: { visibility: 'all' }, agentToAgent: { enabled: true, allow: ['*'], maxCostUsd: LIMIT_CENTS / 100 } },
    },
    { cost: COST, routers: 2 },
  );
  gateway.adapter({ channel: 'telegram', accountId: 'default' }, () => undefined);
  heard = [];
  const obey = obedientModel((turn) => otherwise(turn));
  gateway.model.answer = (asked: AskedModel) => ({ usage: USAGE, ...obey(asked) });
});
afterEach(() => gateway.stop(), 600_000);

const say = (agentId: string, text: string) =>
  gateway.router.submitMessage(
    SubmitMessageRequest.create({ envelope: Envelope.create({ channel: 'telegram', messageId: '1', agentId, chatType: 'group', sender: Sender.create({ id: '7' }), conversation: Conversation.create({ id: 'g' }), mentioned: true, text }), waitMs: 120_000 }),
  );
const idle = async (): Promise<void> => {
  for (const agentId of AGENTS) await gateway.idle(agentId);
};
const send = (sessionKey: string): ScriptedAnswer => ({ toolCalls: [{ id: 'c', name: 'sessions_send', arguments: { sessionKey, message: 'pass it on', timeoutSeconds: 0 } }] });

it('stops a ring of agents, of which no turn alone comes near it', async () => {
  otherwise = ({ sessionKey, results }) => {
    heard.push(...results);
    if (results.length > 0) return { chunks: ['passed on'] };
    const at = AGENTS.findIndex((id) => sessionKey.startsWith(`agent:${id}:`));
    return send(`agent:${AGENTS[(at + 1) % AGENTS.length] ?? ''}:ring`);
  };
  expect(await say('ann', 'pass it on')).toMatchObject({ outcome: 'ok', text: 'passed on' });
  await idle();
  const refused = heard.filter((text) => text.includes('forbidden'));
  expect(refused).toHaveLength(1);
  expect(refused[0]).toMatch(/maxCostUsd/);
  // Each turn asks twice, so the fifth at the latest finds the limit reached; the hops would allow nine.
  const accepted = heard.filter((text) => text.includes('accepted')).length;
  expect(accepted).toBeGreaterThanOrEqual(2);
  expect(accepted).toBeLessThan(LIMIT_CENTS);
  expect(gateway.model.asked).toHaveLength((accepted + 1) * 2);
}, 240_000);

it('counts what turns have spent that are still at work', async () => {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  let working = 0;
  let allWork: () => void = () => undefined;
  const everyoneWorks = new Promise<void>((resolve) => (allWork = resolve));
  otherwise = ({ sessionKey, message, results }) => {
    if (message.includes('pass it on')) {
      if (results.length === 0) return { toolCalls: [{ id: 's', name: 'session_status', arguments: {} }] };
      // The answer before this one is a line by now, and the turn does not end before it is let.
      if ((working += 1) === 2) allWork();
      return { chunks: ['done'], after: released };
    }
    expect(sessionKey).toBe('agent:ann:telegram:group:g');
    heard = [...results];
    if (results.length < 2) return send(`agent:${results.length === 0 ? 'bob' : 'cyd'}:wide`);
    if (results.length === 2) return { ...send('agent:bob:one-more'), after: everyoneWorks };
    return { chunks: ['enough'] };
  };
  // The first turn has three answers by its last send, each of the others one: five cents of runs none of which has ended.
  expect(await say('ann', 'spread it')).toMatchObject({ outcome: 'ok', text: 'enough' });
  expect(heard.map((text) => (JSON.parse(text) as { status: string }).status)).toEqual(['accepted', 'accepted', 'forbidden']);
  expect(heard[2]).toMatch(/maxCostUsd/);
  release();
  await idle();
}, 240_000);

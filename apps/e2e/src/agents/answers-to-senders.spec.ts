/**
 * Two accounts, fifty peers, two channels: whatever comes between a message and its answer, other
 * messages and what agents send to third sessions meanwhile, no answer goes to anyone but the sender
 * it answers, and each of them comes.
 *
 * One interleaving is two messages of two senders, begun at seeded instants among those of the others
 * that are under way, with a message to a third session sent in one of the two turns. In a group both
 * may be of one conversation, of two who speak at once: nobody is answered in the other's turn.
 */
import { Conversation, Envelope, Sender, SubmitMessageRequest } from '@sessions/contracts';
import type { Delivery } from '@sessions/contracts';
import { openInProcess } from './gateway-in-process';
import type { GatewayInProcess } from './gateway-in-process';
import { obedientModel } from './obedient-model';

/** Of each scope and mode of the table. */
const INTERLEAVINGS = Number(process.env['INTERLEAVINGS'] ?? 6);
const SEED = Number(process.env['INTERLEAVINGS_SEED'] ?? 20_261_126);
/** In one gateway: its conversations stay short, so that the thousandth interleaving costs what the first does. */
const IN_ONE_GATEWAY = 40;
/** Interleavings under way at a time, each of two messages. */
const AT_ONCE = 6;
/** Of so many gateways one lets sessions answer each other; each further turn is one more that nobody may be answered with. */
const EXCHANGES_IN_ONE_OF = 3;
const CHANNELS = ['telegram', 'discord'] as const;
const ACCOUNTS = ['default', 'work'] as const;
const PEERS = Array.from({ length: 50 }, (_, at) => `p${String(at + 1)}`);
const SCOPES = ['main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer'] as const;
const MODES = ['steer', 'followup', 'collect', 'interrupt'] as const;

/** Where a message comes from, and where its answer has to go. */
interface Origin {
  readonly channel: string;
  readonly accountId: string;
  readonly peer: string;
  /** Undefined: a direct conversation. */
  readonly group: string | undefined;
}

interface Answer {
  readonly token: string;
  readonly origin: Origin;
  readonly messageId: string;
}

/** Minimal standard generator: the same at every run. */
function generator(seed: number): (below: number) => number {
  let state = (seed % 2_147_483_646) + 1;
  return (below) => (state = (state * 48_271) % 2_147_483_647) % below;
}

/** Who is spoken for by one message at a time: of two of his own the second may be answered with the first. */
const placeOf = ({ channel, accountId, peer, group }: Origin): string => `${channel} ${accountId} ${group ?? ''} ${peer}`;
const envelopeOf = ({ channel, accountId, peer, group }: Origin, messageId: string, text: string): Envelope =>
  Envelope.create({ channel, accountId, messageId, chatType: group === undefined ? 'direct' : 'group', sender: Sender.create({ id: peer }), text, ...(group !== undefined && { conversation: Conversation.create({ id: group }), mentioned: true }) });

type DmScope = (typeof SCOPES)[number];
type Mode = (typeof MODES)[number];

/** The order of everything follows from the seed as far as one process can decide it. */
const seedOf = (dmScope: DmScope, mode: Mode, gateway: number): number => SEED + gateway * 1_009 + SCOPES.indexOf(dmScope) * 101 + MODES.indexOf(mode) * 7;

describe.each(SCOPES.flatMap((dmScope) => MODES.map((mode) => [dmScope, mode] as const)))('answers under the scope %s, while messages during a turn mean %s', (dmScope, mode) => {
  it(`go to whom they answer, in ${String(INTERLEAVINGS)} interleavings`, async () => {
    for (let gateway = 0, left = INTERLEAVINGS; left > 0; gateway += 1, left -= IN_ONE_GATEWAY) {
      const seed = seedOf(dmScope, mode, gateway);
      try {
        await interleave(dmScope, mode, seed, Math.min(left, IN_ONE_GATEWAY), gateway % EXCHANGES_IN_ONE_OF === 0 ? 1 : 0);
      } catch (error) {
        throw new Error(`with the seed ${String(seed)}`, { cause: error });
      }
    }
  }, 3_600_000);
});

async function interleave(dmScope: DmScope, mode: Mode, seed: number, interleavings: number, maxPingPongTurns: number): Promise<void> {
  const gateway = await openInProcess({
    session: { dmScope, agentToAgent: { maxPingPongTurns } },
    messages: { queue: { mode, debounceMs: 0, cap: 1_000 } },
    tools: { sessions: { visibility: 'agent' } },
    agentRunner: { maxConcurrent: 64 },
  });
  try {
    await converse(gateway, mode, seed, interleavings);
  } finally {
    await gateway.stop();
  }
}

async function converse(gateway: GatewayInProcess, mode: Mode, seed: number, interleavings: number): Promise<void> {
  const random = generator(seed);
  const delivered: Delivery[] = [];
  for (const channel of CHANNELS) for (const accountId of ACCOUNTS) gateway.adapter({ channel, accountId }, (delivery) => delivered.push(delivery));
  // Half of what is said between sessions is told to the channel of the session that was asked.
  let heard = 0;
  gateway.model.answer = obedientModel(({ message }) => ({ chunks: [message.includes('An exchange with the agent') ? ((heard += 1) % 2 === 0 ? 'ANNOUNCE_SKIP' : `news ${String(heard)}`) : message.includes('a question') ? 'a reply' : 'REPLY_SKIP'] }));

  const busy = new Set<string>();
  const keys: string[] = ['agent:main:third'];
  const sent: Answer[] = [];
  const freeOrigin = (beside?: Origin): Origin => {
    for (;;) {
      const peer = PEERS[random(PEERS.length)] ?? '';
      const together = beside?.group === undefined || random(4) === 0 ? undefined : beside;
      const origin = together === undefined ? { channel: CHANNELS[random(2)] ?? '', accountId: ACCOUNTS[random(2)] ?? '', peer, group: random(3) === 0 ? `g${String(random(8))}` : undefined } : { ...together, peer };
      if (!busy.has(placeOf(origin))) return origin;
    }
  };
  const say = async (origin: Origin, number: number, third: string | undefined, pauses: number): Promise<void> => {
    busy.add(placeOf(origin));
    const answer = { token: `answer-${String(number)}.`, origin, messageId: `m${String(number)}` };
    sent.push(answer);
    for (let pause = 0; pause < pauses; pause += 1) await new Promise((resolve) => setTimeout(resolve, 1));
    const send = third === undefined ? [] : [`do: sessions_send ${JSON.stringify({ sessionKey: third, message: 'a question', timeoutSeconds: number % 3 === 0 ? 1 : 0 })}`];
    const accepted = await gateway.router.submitMessage(SubmitMessageRequest.create({ envelope: envelopeOf(origin, answer.messageId, [...send, `say: ${answer.token}`].join('\n')), waitMs: 120_000 }));
    // `duplicate`: the router has asked again under the message's key, after an answer that came late; it is kept once.
    expect(['accepted', 'duplicate']).toContain(accepted.status);
    if (mode !== 'interrupt') expect(accepted.outcome).toBe('ok');
    if (!keys.includes(accepted.sessionKey) && keys.length < 400) keys.push(accepted.sessionKey);
    busy.delete(placeOf(origin));
  };
  let begun = 0;
  const work = async (): Promise<void> => {
    while (begun < interleavings) {
      const number = (begun += 1) * 2;
      const first = freeOrigin();
      busy.add(placeOf(first));
      const second = freeOrigin(first);
      const third = keys[random(keys.length)];
      await Promise.all([say(first, number, third, random(4)), say(second, number + 1, random(4) === 0 ? third : undefined, random(8))]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, interleavings) }, work));
  await gateway.idle('main');

  const byToken = new Map(sent.map((answer) => [answer.token, answer]));
  const answered = new Set<string>();
  for (const { text, route, inReplyTo } of delivered) {
    const tokens = text.match(/answer-\d+\./gu) ?? [];
    // What a channel hears of an exchange answers nobody, and carries nobody's answer.
    if (tokens.length === 0) {
      expect(text).toMatch(/^news \d+$/u);
      continue;
    }
    expect(tokens).toHaveLength(1);
    const answer = byToken.get(tokens[0] ?? '');
    if (answer === undefined) throw new Error(`nobody asked for ${text}`);
    const { channel, accountId, peer, group } = answer.origin;
    expect({ channel: route?.channel, accountId: route?.accountId ?? 'default', to: route?.to, messageId: inReplyTo?.messageId }).toEqual({ channel, accountId, to: group ?? peer, messageId: answer.messageId });
    expect(answered.has(answer.token)).toBe(false);
    answered.add(answer.token);
  }
  expect(sent).toHaveLength(interleavings * 2);
  if (mode !== 'interrupt') expect(answered.size).toBe(sent.length);
  else expect(answered.size).toBeGreaterThan(0);
}

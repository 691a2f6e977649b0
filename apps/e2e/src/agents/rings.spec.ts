/**
 * Agents that pass on whatever they are sent, over real owners, runners and routers: three in a ring,
 * nine, and random graphs of seventeen. Nothing ends them but the hop limit, and each message makes one
 * turn at its target. (The arithmetic of larger graphs is `libs/domain`'s `exchange.property.spec.ts`.)
 */
import { Conversation, Envelope, Sender, SubmitMessageRequest } from '@sessions/contracts';
import type { ScriptedAnswer } from '@sessions/llm/testing';
import { openInProcess } from './gateway-in-process';
import type { GatewayInProcess } from './gateway-in-process';
import { obedientModel } from './obedient-model';

const SEED = Number(process.env['RINGS_SEED'] ?? 20_261_127);
/** Messages from a person's beyond which none is sent. */
const HOPS_MAX = 8;

interface Passed {
  readonly accepted: number;
  readonly refused: readonly string[];
  /** How often each message came to a model, by target and the message's own mark. */
  readonly turns: ReadonlyMap<string, number>;
}

let gateway: GatewayInProcess | undefined;
afterEach(() => gateway?.stop(), 600_000);

/** A person asks the first agent; every turn sends to all its agent's targets, each with a mark of its own. */
async function passOn(targets: readonly (readonly number[])[], { pingPongTurns = 0 } = {}): Promise<Passed> {
  const ids = targets.map((_, at) => `a${String(at)}`);
  gateway = await openInProcess({
    agents: { defaults: { model: { primary: 'local/small' } }, list: ids.map((id) => ({ id })) },
    session: { agentToAgent: { maxPingPongTurns: pingPongTurns } },
    tools: { sessions: { visibility: 'all' }, agentToAgent: { enabled: true, allow: ['*'] } },
  }, { routers: 2 });
  const { model, router, idle } = gateway;
  gateway.adapter({ channel: 'telegram', accountId: 'default' }, () => undefined);
  const turns = new Map<string, number>();
  const refused: string[] = [];
  let [accepted, marks] = [0, 0];
  const nextMark = (): string => `#${String((marks += 1))}`;
  model.answer = obedientModel(({ sessionKey, message, results }): ScriptedAnswer => {
    const at = Number(/^agent:a(\d+):/u.exec(sessionKey)?.[1]);
    const to = targets[at] ?? [];
    if (results.length === 0) {
      const turn = `${sessionKey} ${/pass on #\d+/u.exec(message)?.[0] ?? message}`;
      turns.set(turn, (turns.get(turn) ?? 0) + 1);
    } else {
      const last = JSON.parse(results.at(-1) ?? '{}') as { status?: string; error?: string };
      if (last.status === 'accepted') accepted += 1;
      else refused.push(`${last.status ?? ''}: ${last.error ?? ''}`);
    }
    const next = to[results.length];
    if (next === undefined) return { chunks: [pingPongTurns > 0 ? `heard, pass on ${nextMark()}` : 'passed on'] };
    return { toolCalls: [{ id: `c${String(results.length)}`, name: 'sessions_send', arguments: { sessionKey: `agent:a${String(next)}:ring`, message: `pass on ${nextMark()}`, timeoutSeconds: 0 } }] };
  });
  const envelope = Envelope.create({ channel: 'telegram', messageId: '1', agentId: 'a0', chatType: 'group', sender: Sender.create({ id: '7' }), conversation: Conversation.create({ id: 'g' }), mentioned: true, text: 'pass on #0' });
  expect(await router.submitMessage(SubmitMessageRequest.create({ envelope, waitMs: 120_000 }))).toMatchObject({ outcome: 'ok' });
  // A message is open at its target before its sender goes on, so who is idle after all others were stays so.
  for (let before = -1; before !== model.asked.length; ) {
    before = model.asked.length;
    for (const id of ids) await idle(id);
  }
  return { accepted, refused, turns };
}

const ring = (count: number): readonly (readonly number[])[] => Array.from({ length: count }, (_, at) => [(at + 1) % count]);

/** Minimal standard generator: the same at every run. */
function generator(seed: number): (below: number) => number {
  let state = (seed % 2_147_483_646) + 1;
  return (below) => (state = (state * 48_271) % 2_147_483_647) % below;
}

/** How many messages each number of hops has, by walking the graph. */
function walks(targets: readonly (readonly number[])[]): { readonly sent: number; readonly refused: number } {
  let [at, sent] = [[0], 0];
  for (let hops = 1; hops <= HOPS_MAX; hops += 1) {
    at = at.flatMap((agent) => targets[agent] ?? []);
    sent += at.length;
  }
  return { sent, refused: at.flatMap((agent) => targets[agent] ?? []).length };
}

describe('agents that pass on what they are sent', () => {
  it.each([3, 9])('stop in a ring of %i at the hop limit, each message once', async (count) => {
    const { accepted, refused, turns } = await passOn(ring(count));
    expect(accepted).toBe(HOPS_MAX);
    expect(refused).toEqual([expect.stringMatching(/^forbidden: .*8 messages from a person/u)]);
    expect(turns.size).toBe(HOPS_MAX + 1);
    expect([...new Set(turns.values())]).toEqual([1]);
  }, 240_000);

  it.each([1, 2])('stop in a random graph of seventeen at the hop limit, each message once: %i', async (number) => {
    const random = generator(SEED + number * 7_919);
    // One or two targets an agent, none itself; a walk of eight steps has tens of messages.
    const targets = Array.from({ length: 17 }, (_, at) => [...new Set(Array.from({ length: random(4) === 0 ? 2 : 1 }, () => (at + 1 + random(16)) % 17))]);
    const expected = walks(targets);
    const { accepted, refused, turns } = await passOn(targets);
    expect({ sent: accepted, refused: refused.length }).toEqual(expected);
    expect(refused.every((text) => text.startsWith('forbidden: '))).toBe(true);
    expect(turns.size).toBe(expected.sent + 1);
    expect([...new Set(turns.values())]).toEqual([1]);
  }, 240_000);

  it('stop though each also answers the other, whose turns send again', async () => {
    const { refused, turns } = await passOn(ring(3), { pingPongTurns: 5 });
    expect(refused.length).toBeGreaterThan(0);
    // Each turn leads to two at most: one that it sends, one that answers it.
    expect(turns.size).toBeGreaterThan(HOPS_MAX + 1);
    expect(turns.size).toBeLessThanOrEqual(2 ** HOPS_MAX);
    expect([...new Set(turns.values())]).toEqual([1]);
  }, 600_000);
});

/** Graphs of agents that all send to each other, run to their end by what the ends of runs set in motion. */
import fc from 'fast-check';
import { InterSession, RunRequest, type OutboundMessage } from '@sessions/contracts';
import { defaultConfig } from '../config/parse-config';
import { startExchange } from './exchange';
import { followUpsOf } from './follow-ups';
import { HOPS_MAX, chainEnd, interSessionText } from './inter-session';

const settings = defaultConfig();
const keyOf = (agent: number): string => `agent:a${String(agent)}:main`;

interface Turn {
  readonly key: string;
  readonly run: RunRequest;
  readonly interSession?: InterSession;
}

interface Graph {
  /** Whom each agent writes to. */
  readonly targets: readonly (readonly number[])[];
  /** Answers with the word that ends an exchange. */
  readonly skips: (turn: number) => boolean;
}

/** Every turn sends to all its agent's targets, as far as it may. */
function runToEnd({ targets, skips }: Graph): { readonly turns: readonly Turn[]; readonly refused: number; readonly hopsMax: number; readonly perRun: ReadonlyMap<string, number> } {
  const waiting: Turn[] = [{ key: keyOf(0), run: RunRequest.create({ runId: 'first' }) }];
  const turns: Turn[] = [];
  const perRun = new Map<string, number>();
  let [refused, hopsMax] = [0, 0];
  for (let turn = waiting.shift(); turn !== undefined; turn = waiting.shift()) {
    turns.push(turn);
    if (turns.length > 200_000) throw new Error('it does not end');
    const hops = turn.interSession?.hops ?? 0;
    hopsMax = Math.max(hopsMax, hops);
    const agent = Number(/^agent:a(\d+):/.exec(turn.key)?.[1]);
    // Turns of an announce have no session tools.
    for (const [place, target] of (turn.run.source === 'announce' ? [] : (targets[agent] ?? [])).entries()) {
      if (chainEnd({ hops: hops + 1 }, settings) !== undefined) {
        refused += 1;
        continue;
      }
      const interSession = InterSession.create({ sourceSessionKey: turn.key, sourceTool: 'sessions_send', hops: hops + 1 });
      const followUp = startExchange({ requesterKey: turn.key, targetKey: keyOf(target), text: interSessionText(interSession, 'x'), hops: hops + 1 }, settings);
      waiting.push({ key: keyOf(target), interSession, run: RunRequest.create({ runId: `${turn.run.runId}>${String(place)}`, followUp }) });
    }
    const text = skips(turns.length) ? 'REPLY_SKIP' : 'answer';
    const ends = followUpsOf({ run: turn.run, sessionKey: turn.key, sessionId: 's', outcome: 'ok', text, endedAtMs: 1, usage: [], sendAllowed: true, ...(turn.interSession && { interSession: turn.interSession }) }, settings);
    for (const message of ends) waiting.push(turnOf(message));
  }
  for (const { key, run } of turns) perRun.set(`${run.runId} ${key}`, (perRun.get(`${run.runId} ${key}`) ?? 0) + 1);
  return { turns, refused, hopsMax, perRun };
}

function turnOf({ toSession }: OutboundMessage): Turn {
  if (toSession?.run === undefined) throw new Error('a message of an exchange starts a turn');
  return { key: toSession.sessionKey, run: toSession.run, ...(toSession.interSession && { interSession: toSession.interSession }) };
}

const ring = (count: number): Graph => ({ targets: Array.from({ length: count }, (_, agent) => [(agent + 1) % count]), skips: () => false });

describe('messages between agents', () => {
  it.each([3, 9])('end in a ring of %d at the hop limit, each once', (count) => {
    const { turns, refused, hopsMax, perRun } = runToEnd(ring(count));
    expect(hopsMax).toBe(HOPS_MAX);
    expect(refused).toBeGreaterThan(0);
    expect(turns.length).toBeLessThanOrEqual(2 ** HOPS_MAX);
    expect([...perRun.values()].every((times) => times === 1)).toBe(true);
  });

  it('ends in random graphs of 17 agents, each message once', () => {
    // Up to two targets an agent: how many a turn sends to is a model's doing and not bounded here.
    const graphs = fc.record({ targets: fc.array(fc.uniqueArray(fc.nat(16), { maxLength: 2 }), { minLength: 17, maxLength: 17 }), skipEvery: fc.integer({ min: 2, max: 9 }) });
    fc.assert(
      fc.property(graphs, ({ targets, skipEvery }) => {
        const own = targets.map((list, agent) => list.filter((target) => target !== agent));
        const { hopsMax, perRun } = runToEnd({ targets: own, skips: (turn) => turn % skipEvery === 0 });
        expect(hopsMax).toBeLessThanOrEqual(HOPS_MAX);
        expect([...perRun.values()].every((times) => times === 1)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});

/** Random graphs of agents with branches that each cost little: what they cost together ends them. */
import fc from 'fast-check';
import { defaultConfig } from '../config/parse-config';
import { HOPS_MAX, chainEnd, graphCost } from './inter-session';

const STORES = 5;

interface Graph {
  /** Whom each agent writes to in every turn. */
  readonly targets: readonly (readonly number[])[];
  /** US dollars of the n-th run; undefined: nobody knows its price. */
  readonly prices: readonly (number | undefined)[];
  readonly maxCostUsd: number;
}

const graphs: fc.Arbitrary<Graph> = fc.record({
  targets: fc.array(fc.uniqueArray(fc.nat(16), { minLength: 1, maxLength: 3 }), { minLength: 17, maxLength: 17 }),
  prices: fc.array(fc.option(fc.integer({ min: 0, max: 64 }).map((parts) => parts / 64), { nil: undefined }), { minLength: 1, maxLength: 40 }),
  maxCostUsd: fc.integer({ min: 1, max: 6 }),
});

const sum = (costs: readonly (number | undefined)[]): number | undefined => costs.filter((cost) => cost !== undefined).reduce<number | undefined>((total, cost) => (total ?? 0) + cost, undefined);

/** Turns one after the other; each ends before it is asked whether its messages may go. */
function runToEnd({ targets, prices, maxCostUsd }: Graph, look: (at: { spent: number | undefined; chain: number | undefined; end: string | undefined; hops: number }) => void): number {
  const base = defaultConfig();
  const settings = { ...base, tools: { ...base.tools, agentToAgent: { ...base.tools.agentToAgent, maxCostUsd } } };
  const stores: (number | undefined)[] = Array.from({ length: STORES }, () => undefined);
  const spent: (number | undefined)[] = [];
  let waiting: { agent: number; hops: number; chain: number | undefined }[] = [{ agent: 0, hops: 0, chain: undefined }];
  while (waiting.length > 0 && spent.length < 3_000) {
    const next: typeof waiting = [];
    for (const { agent, hops, chain } of waiting) {
      const price = prices[spent.length % prices.length];
      spent.push(price);
      stores[agent % STORES] = sum([stores[agent % STORES], price]);
      for (const target of targets[agent] ?? []) {
        const end = chainEnd({ hops: hops + 1, costUsd: graphCost(chain, stores) }, settings);
        look({ spent: sum(spent), chain, end, hops: hops + 1 });
        if (end === undefined) next.push({ agent: target, hops: hops + 1, chain: sum([chain, price]) });
      }
    }
    waiting = next;
  }
  return waiting.length;
}

describe('the cost of a graph', () => {
  it('lets a message go exactly while all runs so far cost less than the limit, whatever branch it is in, and none beyond the hops', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        runToEnd(graph, ({ spent, end, hops }) => {
          const isOver = spent !== undefined && spent >= graph.maxCostUsd;
          expect(end).toBe(hops > HOPS_MAX ? 'hops' : isOver ? 'cost' : undefined);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('ends a wide graph of cheap branches long before any branch alone would', () => {
    const ends: string[] = [];
    const wide: Graph = { targets: Array.from({ length: 17 }, (_, agent) => [1, 2, 3].map((step) => (agent + step) % 17)), prices: [0.125], maxCostUsd: 2 };
    const left = runToEnd(wide, ({ chain = 0, end }) => {
      if (end === 'cost') ends.push(String(chain));
    });
    expect(left).toBe(0);
    expect(ends.length).toBeGreaterThan(0);
    expect(Math.max(...ends.map(Number))).toBeLessThan(1);
  });

  it('is not known where no price is, and not less than what leads to a message where a store says nothing', () => {
    expect(graphCost(undefined, [undefined, undefined])).toBeUndefined();
    expect(graphCost(undefined, [])).toBeUndefined();
    expect(graphCost(0.5, [undefined])).toBe(0.5);
    expect(graphCost(0.5, [0.25, undefined])).toBe(0.5);
    expect(graphCost(0.5, [0.25, 0.5])).toBe(0.75);
    expect(graphCost(undefined, [0])).toBe(0);
  });
});

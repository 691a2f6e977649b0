import { TokenUsage } from '@sessions/contracts';
import { RunUsage } from './usage';

it('adds up what the answers of each model used, and takes what no answer can have used for none', () => {
  const usage = new RunUsage();
  const call = { modelProvider: 'p', model: 'm', inputTokens: 3, outputTokens: 4, cacheReadTokens: 1, cacheWriteTokens: 2 };
  usage.add(TokenUsage.create(call));
  usage.add(TokenUsage.create({ ...call, inputTokens: 1e300, outputTokens: Number.MAX_SAFE_INTEGER, cacheReadTokens: -1, cacheWriteTokens: 1.5 }));
  usage.add(TokenUsage.create(call));
  expect(usage.all()).toEqual([expect.objectContaining({ modelProvider: 'p', model: 'm', inputTokens: 6, outputTokens: 8, cacheReadTokens: 2, cacheWriteTokens: 4 })]);
});

it('does not take the cost of some calls for that of all', () => {
  const costs = (...calls: Partial<TokenUsage>[]): (number | undefined)[] => {
    const usage = new RunUsage();
    for (const call of calls) usage.add(TokenUsage.create({ modelProvider: 'p', model: 'm', inputTokens: 1, ...call }));
    return usage.all().map(({ costUsd }) => costUsd);
  };
  expect(costs({ costUsd: 0.1 }, { costUsd: 0.2 })).toEqual([0.3]);
  expect(costs({ costUsd: 0.1 }, {})).toEqual([undefined]);
  expect(costs({}, { costUsd: 0.1 })).toEqual([undefined]);
  expect(costs({ costUsd: 0.1 }, { model: 'other' })).toEqual([0.1, undefined]);
});

it('remembers that a call did not say all that it took, also from a transcript', () => {
  const usage = new RunUsage();
  usage.add(TokenUsage.create({ modelProvider: 'p', model: 'm', inputTokens: 1, outputTokens: 1 }));
  expect(usage.all()[0]?.uncounted).toBe(false);
  usage.addRecorded([{ message: { role: 'assistant', provider: 'p', model: 'm', usage: { input: 7 } } } as unknown as Parameters<RunUsage['addRecorded']>[0][number]]);
  usage.add(TokenUsage.create({ modelProvider: 'p', model: 'm', inputTokens: 1, outputTokens: 1 }));
  expect(usage.all()).toEqual([expect.objectContaining({ inputTokens: 9, outputTokens: 2, uncounted: true })]);
});

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

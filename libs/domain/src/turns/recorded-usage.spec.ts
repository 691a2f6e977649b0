import { recordedUsage } from './recorded-usage';

const none = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, totalTokens: 0, modelProvider: undefined, model: undefined, uncounted: true };

it('reads what an answer used, and takes what is no count for none', () => {
  const usage = { input: 3, output: 4, cacheRead: 1, cacheWrite: 2, totalTokens: 10 };
  expect(recordedUsage({ role: 'assistant', usage, provider: 'p', model: 'm' })).toEqual({ inputTokens: 3, outputTokens: 4, cacheReadTokens: 1, cacheWriteTokens: 2, totalTokens: 10, modelProvider: 'p', model: 'm', uncounted: false });
  expect(recordedUsage({ role: 'assistant', usage: { input: -1, output: 1.5, cacheRead: '7', cacheWrite: null }, provider: 1 })).toEqual(none);
});

it('takes what no answer can have used for none: sums of it would not pass the wire', () => {
  const usage = { input: Number.MAX_SAFE_INTEGER, output: 1e12 + 1, cacheRead: 1e12, cacheWrite: 1e300 };
  expect(recordedUsage({ role: 'assistant', usage })).toEqual({ ...none, cacheReadTokens: 1e12 });
});

it.each([undefined, {}, { role: 'user', usage: {} }, { role: 'assistant' }, { role: 'assistant', usage: [] }])('says nothing of %j', (message) => {
  expect(recordedUsage(message)).toBeUndefined();
});

it.each([[{ input: 3 }], [{ output: 3 }], [{}]])('knows that %j is not all that an answer took', (usage) => {
  expect(recordedUsage({ role: 'assistant', usage })?.uncounted).toBe(true);
  expect(recordedUsage({ role: 'assistant', usage: { input: 0, output: 0, ...usage } })?.uncounted).toBe(false);
});

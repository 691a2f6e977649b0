import { defaultConfig } from '../config/parse-config';
import { mayNeedCompaction } from './entry-compaction-due';

const settings = defaultConfig().agents.defaults.compaction;
const due = (native: object, windowTokens = 100_000, more: object = {}) => mayNeedCompaction({ native: { sessionId: 's', totalTokensFresh: true, ...native } as never, settings: { ...settings, ...more }, windowTokens });

it('is asked for once the context reaches into the reserve', () => {
  expect(due({ totalTokens: 80_000 })).toBe(false);
  expect(due({ totalTokens: 80_001 })).toBe(true);
  expect(due({ totalTokens: 5_001 }, 10_000)).toBe(true);
  expect(due({ totalTokens: 80_001 }, 100_000, { enabled: false })).toBe(false);
});

it('is not asked for twice, nor on figures of before', () => {
  expect(due({ totalTokens: 90_000, pendingCompaction: {} })).toBe(false);
  expect(due({ totalTokens: 90_000, totalTokensFresh: false })).toBe(false);
  expect(due({})).toBe(false);
});

it('waits for a tenth of new content after an attempt that failed, of this transcript', () => {
  const attempt = (tokens: number, sessionId = 's') => ({ totalTokens: 90_000, compactionAttempt: { sessionId, tokens } });
  expect(due(attempt(81_001))).toBe(false);
  expect(due(attempt(81_000))).toBe(true);
  expect(due(attempt(89_000, 'earlier'))).toBe(true);
});

import { defaultConfig } from '../config/parse-config';
import { isOversized, mayNeedCompaction } from './entry-compaction-due';

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

describe('the size of a transcript', () => {
  const bySize = { truncateAfterCompaction: true, maxActiveTranscriptBytes: 1_000 };
  const large = (transcriptBytes: number, native: object = {}, more: object = {}) => isOversized({ native: { sessionId: 's', ...native } as never, settings: { ...bySize, ...more }, transcriptBytes });

  it('is a reason once it has reached its bound, where a compaction is to make it smaller', () => {
    expect([999, 1_000].map((bytes) => large(bytes))).toEqual([false, true]);
    expect(large(5_000, {}, { truncateAfterCompaction: false })).toBe(false);
    expect(large(5_000, {}, { maxActiveTranscriptBytes: 0 })).toBe(false);
    expect(large(5_000, { pendingCompaction: {} })).toBe(false);
  });

  it('is no reason again before the transcript is a tenth longer', () => {
    const looked = (bytes: number, sessionId = 's') => large(10_000, { compactionAttempt: { sessionId, bytes } });
    expect([9_001, 9_000].map((bytes) => looked(bytes))).toEqual([false, true]);
    expect(looked(9_999, 'earlier')).toBe(true);
  });
});

import { defaultConfig } from '../config/parse-config';
import { isOverflowError, planFlush, type FlushRequest } from './plan-flush';

const base: FlushRequest = { settings: defaultConfig().agents.defaults.compaction, windowTokens: 200_000, tokens: 176_001, transcriptBytes: 0, compactionCount: 2, flushedAtCount: 1, workspaceAccess: 'full', runKind: 'turn' };

describe('planFlush', () => {
  it('comes a soft threshold before the compaction, once between two of them', () => {
    expect(planFlush(base)).toBe('threshold');
    expect(planFlush({ ...base, tokens: 176_000 })).toBeUndefined();
    expect(planFlush({ ...base, flushedAtCount: 2 })).toBeUndefined();
    expect(planFlush({ ...base, compactionCount: 0, flushedAtCount: undefined })).toBe('threshold');
    expect(planFlush({ ...base, tokens: 0, transcriptBytes: 2 * 1024 ** 2 })).toBe('size');
  });

  it('is left out where nothing can be written and in runs of programs', () => {
    for (const more of [{ workspaceAccess: 'ro' }, { workspaceAccess: 'none' }, { runKind: 'heartbeat' }, { runKind: 'cron' }, { runKind: 'cli-backend' }] as const) expect(planFlush({ ...base, ...more })).toBeUndefined();
    expect(planFlush({ ...base, settings: { ...base.settings, memoryFlush: { ...base.settings.memoryFlush, enabled: false } } })).toBeUndefined();
  });
});

describe('isOverflowError', () => {
  it.each([['Error 413: request_too_large', true], ['Ollama error: context length exceeded', true], ['INPUT IS TOO LONG FOR THE MODEL', true], ['rate limit', false]])('%s: %s', (message, isOverflow) => expect(isOverflowError(message)).toBe(isOverflow));
});

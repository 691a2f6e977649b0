import fc from 'fast-check';
import { defaultConfig } from '../config/parse-config';
import { branchOf, brokenConversations, nativeLines, userText } from '../testing/tool-arbitraries';
import { estimateLineTokens } from './count-tokens';
import { planDueCompaction, isMidTurnDue, type CompactionDueRequest } from './compaction-due';
import { planFlush } from './plan-flush';
import { reserveTokens } from './plan-compaction';

const SETTINGS = defaultConfig().agents.defaults.compaction;
const tokensOf = (path: CompactionDueRequest['path']): number => path.reduce((sum, line) => sum + estimateLineTokens(line), 0);
const asked = (path: CompactionDueRequest['path'], more: Partial<CompactionDueRequest> = {}): CompactionDueRequest => ({ path, windowTokens: 200_000, settings: SETTINGS, count: estimateLineTokens, transcriptBytes: 0, ...more });
/** A conversation of about so many tokens, a hundred lines. */
const talk = (tokens: number): CompactionDueRequest['path'] => branchOf(nativeLines(Array.from({ length: 100 }, () => userText('x'.repeat(Math.max(0, Math.floor(tokens / 100) - 4) * 4)))));

it('is due at the window less the larger reserve, which is at most half of it, and never below', () => {
  fc.assert(fc.property(fc.integer({ min: 2_000, max: 300_000 }), fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: 500, max: 320_000 }), (windowTokens, reserveTokensFloor, tokens) => {
    const settings = { ...SETTINGS, reserveTokensFloor };
    const path = talk(tokens);
    const { due } = planDueCompaction(asked(path, { windowTokens, settings }));
    expect(due).toBe(tokensOf(path) > windowTokens - reserveTokens(settings, windowTokens) ? 'auto-threshold' : undefined);
    expect(reserveTokens(settings, windowTokens)).toBeLessThanOrEqual(windowTokens / 2);
    expect(planDueCompaction(asked(path, { windowTokens, settings: { ...settings, enabled: false } })).due).toBeUndefined();
  }), { numRuns: 40 });
});

it('is not due again before a tenth of the context is new, whatever became of the last one', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 99 }), (at) => {
    const path = talk(199_000);
    const lastAttemptTipId = path[at - 1]?.id as string;
    const fresh = tokensOf(path.slice(at)) / tokensOf(path);
    const answer = planDueCompaction(asked(path, { lastAttemptTipId }));
    expect(answer.due === undefined).toBe(fresh < 0.1);
    if (answer.due === undefined) expect(answer.reason).toBe('little new content');
  }), { numRuns: 40 });
});

it('is due by size only where a compaction makes the file smaller', () => {
  const path = talk(1_000);
  const settings = { ...SETTINGS, maxActiveTranscriptBytes: 1_000, truncateAfterCompaction: true };
  expect(planDueCompaction(asked(path, { settings, transcriptBytes: 1_000 }))).toMatchObject({ due: 'size', plan: { kind: 'summarise' } });
  expect(planDueCompaction(asked(path, { settings, transcriptBytes: 999 })).due).toBeUndefined();
  expect(planDueCompaction(asked(path, { settings: { ...settings, truncateAfterCompaction: false }, transcriptBytes: 5_000 })).due).toBeUndefined();
  expect(planDueCompaction(asked(path, { settings: { ...settings, maxActiveTranscriptBytes: 0 }, transcriptBytes: 5_000 })).due).toBeUndefined();
});

it('says what a due compaction would do, for any conversation, and changes none', () => {
  fc.assert(fc.property(brokenConversations, fc.integer({ min: 1, max: 3_000 }), (messages, windowTokens) => {
    const path = branchOf(nativeLines(messages));
    const before = JSON.stringify(path);
    const answer = planDueCompaction(asked(path, { windowTokens }));
    if (answer.due !== undefined) expect(answer.plan.to).toBeGreaterThan(answer.plan.from);
    expect(JSON.stringify(path)).toBe(before);
  }), { numRuns: 40 });
});

it('comes after the flush of notes, never before it, in every window', () => {
  fc.assert(fc.property(fc.integer({ min: 10_000, max: 300_000 }), fc.integer({ min: 500, max: 320_000 }), (windowTokens, tokens) => {
    const path = talk(tokens);
    const flush = planFlush({ settings: SETTINGS, windowTokens, tokens: tokensOf(path), transcriptBytes: 0, compactionCount: 1, flushedAtCount: 0, workspaceAccess: 'rw', runKind: 'turn' });
    if (planDueCompaction(asked(path, { windowTokens })).due === 'auto-threshold') expect(flush).toBe('threshold');
  }), { numRuns: 40 });
});

it('within a turn only where that is switched on, at the same bound', () => {
  const settings = { ...SETTINGS, midTurnPrecheck: { enabled: true } };
  expect([180_000, 180_001].map((tokens) => isMidTurnDue({ settings, windowTokens: 200_000, tokens }))).toEqual([false, true]);
  expect(isMidTurnDue({ settings: SETTINGS, windowTokens: 200_000, tokens: 200_000 })).toBe(false);
});

import fc from 'fast-check';
import { defaultConfig } from '../config/parse-config';
import type { JsonObject } from '../json';
import { assistant, branchOf, brokenConversations, nativeLines, toolCall, toolConversations, toolResult, userText } from '../testing/tool-arbitraries';
import type { TranscriptLine } from '../transcript/parse-line';
import { isBrokenOff, pairTools, pendingFrom, safeBefore, safePlaces } from '../transcript/structure';
import { assembleContext, contextProblems } from './assemble-context';
import { contextTokens, estimateLineTokens, estimateTextTokens } from './count-tokens';
import { isFlushDue, isNearlyFull, planCompaction, planTurnDrop, reserveTokens, sumTokens, type CompactionRequest } from './plan-compaction';

const SETTINGS = defaultConfig().agents.defaults.compaction;
const WINDOW = 200_000;
const request = (path: readonly TranscriptLine[], more: Partial<CompactionRequest> = {}): CompactionRequest => ({ path, windowTokens: WINDOW, settings: SETTINGS, trigger: 'overflow', count: estimateLineTokens, ...more });
const turns = (count: number, chars: number): JsonObject[] => Array.from({ length: count }, (_, index) => [userText(`${String(index)} ${'u'.repeat(chars)}`), assistant('a'.repeat(chars))]).flat();

/** The branch once a summary of `tokens` is installed, as the owner appends it. */
function installed(path: readonly TranscriptLine[], cutId: string | undefined, tokens: number): readonly TranscriptLine[] {
  const compaction = { type: 'compaction', id: `k${String(path.length)}`, parentId: path.at(-1)?.id ?? null, summary: 's'.repeat(4 * tokens), firstKeptEntryId: cutId ?? `k${String(path.length)}` };
  return [...path, ...branchOf([JSON.stringify(compaction)])];
}

/** What the model sees, in tokens. */
const seenTokens = (path: readonly TranscriptLine[]): number => assembleContext(path).reduce((sum, { message }) => sum + estimateLineTokens({ ...path[0], message } as TranscriptLine), 0);

describe('the reserve', () => {
  it('is the larger setting, at most half of the window, and a floor of 0 leaves the other', () => {
    expect(reserveTokens(SETTINGS, WINDOW)).toBe(20_000);
    expect(reserveTokens({ ...SETTINGS, reserveTokensFloor: 0 }, WINDOW)).toBe(16_384);
    expect(reserveTokens(SETTINGS, 8_000)).toBe(4_000);
  });

  it('starts compaction and, earlier, the flush', () => {
    expect([180_000, 180_001].map((tokens) => isNearlyFull(SETTINGS, WINDOW, tokens))).toEqual([false, true]);
    expect(isNearlyFull({ ...SETTINGS, enabled: false }, WINDOW, 199_000)).toBe(false);
    expect([176_000, 176_001].map((tokens) => isFlushDue(SETTINGS, 4_000, WINDOW, tokens))).toEqual([false, true]);
  });
});

describe('planCompaction', () => {
  it('waits until the window is nearly full, then keeps the newest part', () => {
    const small = branchOf(nativeLines(turns(10, 4_000)));
    expect(planCompaction(request(small, { trigger: 'threshold' }))).toMatchObject({ kind: 'none', reason: 'not full' });
    const full = branchOf(nativeLines(turns(90, 4_000)));
    const plan = planCompaction(request(full, { trigger: 'threshold' }));
    expect(plan).toMatchObject({ kind: 'summarise', from: 0, tipId: full.at(-1)?.id, previousSummary: undefined });
    if (plan.kind === 'summarise') {
      expect(plan.keptTokens).toBeGreaterThan(15_000);
      expect(plan.keptTokens).toBeLessThanOrEqual(20_000);
    }
  });

  it('keeps nothing when a person asks, unless that is configured', () => {
    const path = branchOf(nativeLines(turns(5, 400)));
    expect(planCompaction(request(path, { trigger: 'manual' }))).toMatchObject({ kind: 'summarise', cutId: undefined, to: path.length });
    expect(planCompaction(request(path, { trigger: 'manual', settings: { ...SETTINGS, keepRecentTokens: 300, recentTurnsPreserve: 0 } }))).toMatchObject({ kind: 'summarise', to: 8 });
    expect(planCompaction(request(path, { trigger: 'manual', settings: { ...SETTINGS, keepRecentTokens: 300 } }))).toMatchObject({ kind: 'summarise', to: 4 });
    expect(planCompaction(request(path, { trigger: 'manual', settings: { ...SETTINGS, keepRecentTokens: 30_000 } }))).toMatchObject({ kind: 'none', reason: 'nothing to summarise' });
  });

  it('finds nothing in an empty branch and right after a compaction', () => {
    expect(planCompaction(request([], { trigger: 'manual' }))).toMatchObject({ kind: 'none', reason: 'nothing to summarise' });
    const path = branchOf(nativeLines(turns(5, 400)));
    expect(planCompaction(request(installed(path, undefined, 100), { trigger: 'manual' }))).toMatchObject({ kind: 'none', reason: 'nothing to summarise' });
  });

  it('does not try again before a tenth of the context is new', () => {
    const path = branchOf(nativeLines(turns(100, 4_000)));
    const plan = planCompaction(request(path));
    if (plan.kind !== 'summarise') throw new Error('no plan');
    const after = (count: number) => [...installed(path, plan.cutId, 1_000), ...branchOf(nativeLines(turns(count, 4_000)))];
    expect(planCompaction(request(after(0)))).toMatchObject({ kind: 'none', reason: 'little new content' });
    expect(planCompaction(request(after(1)))).toMatchObject({ kind: 'none', reason: 'little new content' });
    expect(planCompaction(request(after(2)))).toMatchObject({ kind: 'summarise' });
    expect(planCompaction(request(path, { lastAttemptTipId: path.at(-2)?.id }))).toMatchObject({ kind: 'none', reason: 'little new content' });
    expect(planCompaction(request(path, { lastAttemptTipId: path.at(-30)?.id }))).toMatchObject({ kind: 'summarise' });
    expect(planCompaction(request(after(0), { trigger: 'manual' }))).toMatchObject({ kind: 'summarise', previousSummary: 's'.repeat(4_000) });
  });

  it('brings transcripts of 1, 2 and 10 windows under 60 % in one pass, in chunks that fit', () => {
    for (const windows of [1, 2, 10]) {
      const path = branchOf(nativeLines(turns(50 * windows, 8_000)));
      const plan = planCompaction(request(path));
      if (plan.kind !== 'summarise') throw new Error('no plan');
      expect(seenTokens(installed(path, plan.cutId, 4_000))).toBeLessThan(0.6 * WINDOW);
      expect(plan.chunks.every((chunk) => chunk.tokens <= WINDOW / 2 && !chunk.isOversized)).toBe(true);
      expect(plan.chunks.length).toBeGreaterThanOrEqual(windows);
    }
  });

  it('lets go of a huge tool result, in any place, with its call', () => {
    const huge = toolResult('h', 'x'.repeat(5_000_000));
    const call = assistant('', [toolCall('h'), toolCall('i')]);
    for (const messages of [[...turns(5, 400), call, huge, toolResult('i')], [userText('a'), call, toolResult('i'), huge, ...turns(5, 400)], [userText('a'), call, huge, toolResult('i'), userText('b')]]) {
      const path = branchOf(nativeLines(messages));
      const plan = planCompaction(request(path));
      if (plan.kind !== 'summarise') throw new Error('no plan');
      expect(plan.keptTokens).toBeLessThan(0.6 * WINDOW);
      expect(plan.chunks.filter((chunk) => chunk.isOversized)).toHaveLength(1);
      expect(contextProblems(assembleContext(installed(path, plan.cutId, 1_000)).map(({ message }) => message))).toEqual([]);
    }
  });

  it('keeps a tool block that is not finished', () => {
    const path = branchOf(nativeLines([...turns(3, 400), assistant('', [toolCall('1'), toolCall('2')]), toolResult('1')]));
    expect(planCompaction(request(path, { trigger: 'manual' }))).toMatchObject({ kind: 'summarise', to: 6 });
  });

  it('always makes progress, never splits a call from its results, and summarises every line it drops exactly once', () => {
    const settings = fc.record({ keepRecentTokens: fc.constantFrom(undefined, 0, 100, 5_000), recentTurnsPreserve: fc.nat(4), maxHistoryShare: fc.constantFrom(0.1, 0.5, 0.9) });
    fc.assert(
      fc.property(fc.oneof(toolConversations, brokenConversations), settings, fc.integer({ min: 100, max: 20_000 }), fc.constantFrom('manual', 'overflow'), (messages, chosen, windowTokens, trigger) => {
        const path = branchOf(nativeLines(messages));
        const plan = planCompaction(request(path, { settings: { ...SETTINGS, ...chosen }, windowTokens, trigger }));
        if (plan.kind === 'none') {
          const pending = pendingFrom(path);
          if (trigger === 'overflow') expect(sumTokens(path, 0, safeBefore(safePlaces(path), pending), estimateLineTokens)).toBe(0);
          return;
        }
        expect(plan.to).toBeGreaterThan(plan.from);
        expect(plan.chunks[0]?.from).toBe(plan.from);
        expect(plan.chunks.at(-1)?.to).toBe(plan.to);
        plan.chunks.forEach((chunk, index) => index > 0 && expect(chunk.from).toBe(plan.chunks[index - 1]?.to));
        for (const chunk of plan.chunks) expect(chunk.tokens <= Math.max(1, windowTokens / 2) || chunk.isOversized).toBe(true);
        for (const [result, call] of pairTools(path.map((line) => line.message)).callOf) {
          if (!isBrokenOff(path[call]?.message)) expect(call < plan.to).toBe(result < plan.to);
        }
        const after = installed(path, plan.cutId, 10);
        expect(contextProblems(assembleContext(after).map(({ message }) => message))).toEqual([]);
        const pendingTokens = sumTokens(path, safeBefore(safePlaces(path), pendingFrom(path)), path.length, estimateLineTokens);
        expect(plan.keptTokens).toBeLessThanOrEqual(Math.max(windowTokens * chosen.maxHistoryShare, pendingTokens));
      }),
      { numRuns: 300 },
    );
  });
});

describe('planTurnDrop', () => {
  it('drops whole oldest turns while no model summarises', () => {
    const path = branchOf(nativeLines(turns(10, 4_000)));
    const drop = planTurnDrop(path, 7_000, estimateLineTokens);
    expect(drop).toMatchObject({ from: 14, droppedLinesCount: 14, fits: true });
    expect(path[drop.from]?.role).toBe('user');
    expect(planTurnDrop(path, 1_000_000, estimateLineTokens)).toMatchObject({ from: 0, droppedLinesCount: 0 });
  });

  it('fits whenever its newest block does, and what it keeps is valid', () => {
    fc.assert(fc.property(brokenConversations, fc.integer({ min: 1, max: 3_000 }), (messages, budget) => {
      const path = branchOf(nativeLines(messages));
      const drop = planTurnDrop(path, budget, estimateLineTokens);
      expect(drop.fits).toBe(drop.keptTokens <= budget);
      expect(drop).toEqual(planTurnDrop(path, budget, estimateLineTokens));
      expect(contextProblems(assembleContext(path.slice(drop.from)).map(({ message }) => message))).toEqual([]);
    }));
  });
});

describe('counting tokens', () => {
  it('takes a quarter of the characters, and one for each of a wide script', () => {
    expect([estimateTextTokens(''), estimateTextTokens('abcde'), estimateTextTokens('会話')]).toEqual([0, 2, 2]);
  });

  it('starts from what a provider reported last', () => {
    const reported = { ...assistant('x'.repeat(400)), usage: { input: 900, output: 100, totalTokens: 1_000 } };
    const path = branchOf(nativeLines([userText('y'.repeat(400_000)), reported, userText('z'.repeat(396))]));
    expect(contextTokens(path, estimateLineTokens)).toBe(1_000 + 103);
    expect(contextTokens(path, estimateLineTokens, 2)).toBeGreaterThan(100_000);
  });

  it('forgets reports from before a compaction', () => {
    const reported = { ...assistant('x'), usage: { totalTokens: 190_000 } };
    const path = branchOf(nativeLines([userText('a'), reported, userText('b')]));
    const after = installed(path, path[1]?.id, 50);
    expect(planCompaction(request(after, { trigger: 'threshold' }))).toMatchObject({ kind: 'none', reason: 'not full' });
    expect(planCompaction(request(path, { trigger: 'threshold' }))).toMatchObject({ kind: 'summarise' });
  });
});

import fc from 'fast-check';
import { estimateLineTokens } from '../compaction/count-tokens';
import { planFork } from '../entry/plan-fork';
import { assistant, branchOf, brokenConversations, nativeLines, toolCall, toolResult, userText } from '../testing/tool-arbitraries';
import { completeTurns, isBrokenOff, pairTools, pendingFrom, safeAfter, safeBefore, safePlaces } from './structure';

const path = (messages: Parameters<typeof nativeLines>[0]) => branchOf(nativeLines(messages));
const parallel = [userText('a'), assistant('', [toolCall('1'), toolCall('2')]), toolResult('2'), userText('steer'), toolResult('1'), userText('b')];

describe('tool structure', () => {
  it('pairs a result with the nearest call of its id before it, the first result counting', () => {
    const { callOf, resultsOf, unanswered } = pairTools([assistant('', [toolCall('1')]), toolResult('1'), toolResult('1'), assistant('', [toolCall('1')]), toolResult('1'), toolResult('x'), assistant('', [toolCall('2')])]);
    expect([...callOf]).toEqual([[1, 0], [2, 0], [4, 3]]);
    expect([...resultsOf]).toEqual([[0, [1]], [3, [4]], [6, []]]);
    expect([...unanswered]).toEqual([6]);
  });

  it('allows cuts only where no call is parted from a result', () => {
    const places = safePlaces(path(parallel));
    expect(places).toEqual([true, true, false, false, false, true, true]);
    expect([safeBefore(places, 4), safeAfter(places, 2), safeBefore(places, 99), safeAfter(places, -1)]).toEqual([1, 5, 6, 0]);
  });

  it('is not held open by calls of a run that was broken off', () => {
    expect(safePlaces(path([assistant('', [toolCall('1')], 'aborted'), userText('x'), toolResult('1')]))).toEqual([true, true, true, true]);
  });

  it('finds the unfinished block at the tip and nowhere else', () => {
    const open = [userText('a'), assistant('', [toolCall('1'), toolCall('2')]), toolResult('1')];
    expect(pendingFrom(path(open))).toBe(1);
    expect(pendingFrom(path([...open, userText('b')]))).toBe(4);
    expect(pendingFrom(path(parallel))).toBe(6);
    expect(pendingFrom(path([assistant('', [toolCall('1')], 'error')]))).toBe(1);
    expect(completeTurns(path(open)).map((line) => line.role)).toEqual(['user']);
  });

  it('says the same as looking at every pair', () => {
    fc.assert(fc.property(brokenConversations, (messages) => {
      const lines = path(messages);
      const pairs = [...pairTools(lines.map((line) => line.message)).callOf].filter(([, call]) => !isBrokenOff(lines[call]?.message));
      expect(safePlaces(lines)).toEqual(Array.from({ length: lines.length + 1 }, (_, place) => !pairs.some(([result, call]) => call < place && result >= place)));
    }));
  });
});

describe('planFork', () => {
  it('copies complete turns, up to half of the window', () => {
    const parent = path([userText('a'.repeat(400)), assistant('b'), userText('c'), assistant('', [toolCall('1')])]);
    expect(planFork(parent, 1_000, estimateLineTokens)).toMatchObject({ forked: true, lines: parent.slice(0, 3) });
    expect(planFork(parent, 100, estimateLineTokens)).toEqual({ forked: false, reason: 'parent_too_large' });
    expect(planFork(path([assistant('', [toolCall('1')])]), 1_000, estimateLineTokens)).toEqual({ forked: false, reason: 'parent_empty' });
  });
});

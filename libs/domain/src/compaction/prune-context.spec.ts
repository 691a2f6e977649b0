import fc from 'fast-check';
import { defaultConfig } from '../config/parse-config';
import { assistant, toolCall, toolConversations, toolResult, userText } from '../testing/tool-arbitraries';
import { contextProblems } from './assemble-context';
import { pruneContext, type PruningSettings } from './prune-context';

const ON: PruningSettings = { ...defaultConfig().agents.defaults.contextPruning, mode: 'cache-ttl' };
const NOW_MS = 1_000_000_000;
const call = (id: string, text: string) => [assistant('', [toolCall(id)]), toolResult(id, text)];
const messages = [userText('a'), ...call('1', 'x'.repeat(60_000)), ...call('2', 'y'.repeat(60_000)), ...call('3', 'z'), ...call('4', 'z'), ...call('5', 'w'.repeat(10_000))];
const prune = (more: Partial<Parameters<typeof pruneContext>[0]> = {}) => pruneContext({ messages, settings: ON, windowTokens: 10_000, nowMs: NOW_MS, lastCallAtMs: NOW_MS - 600_000, ...more });

describe('pruneContext', () => {
  it('does nothing while switched off, while the cache is warm, and while the window is empty enough', () => {
    for (const more of [{ settings: { ...ON, mode: 'off' as const } }, { lastCallAtMs: NOW_MS - 300_000 }, { lastCallAtMs: undefined }, { windowTokens: 1_000_000 }]) expect(prune(more).messages).toBe(messages);
  });

  it('shortens long results before the newest answers, and says how long they were', () => {
    const { messages: pruned, shortenedCount, clearedCount } = prune({ windowTokens: 40_000 });
    expect([shortenedCount, clearedCount]).toEqual([2, 0]);
    expect(JSON.stringify(pruned[2])).toContain('60000 characters before');
    expect(pruned.at(-1)).toBe(messages.at(-1));
  });

  it('clears the oldest when shortening was not enough and there is enough to clear', () => {
    const settings = { ...ON, minPrunableToolChars: 1_000, hardClearRatio: 0.3 };
    const { messages: pruned, clearedCount } = prune({ settings, windowTokens: 12_000 });
    expect(clearedCount).toBe(1);
    expect(pruned[2]).toMatchObject({ toolCallId: '1', content: [{ text: ON.hardClear.placeholder }] });
    expect(prune({ settings: { ...settings, hardClear: { ...ON.hardClear, enabled: false } }, windowTokens: 12_000 }).clearedCount).toBe(0);
    expect(prune({ windowTokens: 12_000 }).clearedCount).toBe(0);
  });

  it('heeds which tools are meant, deny first', () => {
    expect(prune({ settings: { ...ON, tools: { allow: undefined, deny: ['RE*'] } } }).messages).toEqual(messages);
    expect(prune({ settings: { ...ON, tools: { allow: ['write'], deny: [] } } }).messages).toEqual(messages);
  });

  it('changes no message it was given, keeps the context valid and never makes it longer', () => {
    fc.assert(fc.property(toolConversations, fc.integer({ min: 1, max: 3_000 }), (list, windowTokens) => {
      const before = JSON.stringify(list);
      const settings = { ...ON, minPrunableToolChars: 0, softTrim: { maxChars: 200, headChars: 50, tailChars: 50 } };
      const { messages: pruned } = pruneContext({ messages: list, settings, windowTokens, nowMs: NOW_MS, lastCallAtMs: 1 });
      expect(JSON.stringify(list)).toBe(before);
      expect(pruned).toHaveLength(list.length);
      expect(JSON.stringify(pruned).length).toBeLessThanOrEqual(before.length);
      expect(contextProblems(pruned)).toEqual(contextProblems(list));
    }));
  });
});

import { defaultConfig, estimateLineTokens, estimateTextTokens, parseTranscriptLine, planCompaction, type JsonObject, type TranscriptLine } from '@sessions/domain';
import { ModelFailure } from '@sessions/llm';
import { renderLines, shortened } from './prompt';
import { PARALLEL_MAX, PASSES_MAX, grouped, summarise, summaryTokens, type AskModel } from './summarise';

const SETTINGS = defaultConfig().agents.defaults.compaction;
const WINDOW = 20_000;
const signal = new AbortController().signal;

function branch(messages: readonly JsonObject[]): TranscriptLine[] {
  return messages.flatMap((message, index) => {
    const line = parseTranscriptLine(JSON.stringify({ type: 'message', id: `e${String(index)}`, parentId: index === 0 ? null : `e${String(index - 1)}`, message }), index + 1);
    return line.ok ? [line] : [];
  });
}
const talk = (windows: number): JsonObject[] => Array.from({ length: windows * 20 }, (_, index) => ({ role: index % 2 === 0 ? 'user' : 'assistant', content: [{ type: 'text', text: `#${String(index)} ${'word '.repeat(800)}` }] }));
const huge: JsonObject[] = [
  { role: 'user', content: 'look' },
  { role: 'assistant', content: [{ type: 'toolCall', id: 'c', name: 'read', arguments: { path: 'a.txt' } }] },
  { role: 'toolResult', toolCallId: 'c', toolName: 'read', content: [{ type: 'text', text: 'x'.repeat(5 * 1024 * 1024) }] },
  { role: 'assistant', content: [{ type: 'text', text: 'seen' }] },
];

describe('a summary', () => {
  it.each([['one window', talk(1)], ['two windows', talk(2)], ['ten windows', talk(10)], ['one huge result', huge], ['a huge result after ten windows', [...talk(10), ...huge]]])('of %s takes at most four passes, every request fits, and less than 60 %% of the window is used after', async (_name, messages) => {
    for (const trigger of ['manual', 'overflow'] as const) {
      const path = branch(messages);
      const plan = planCompaction({ path, windowTokens: WINDOW, settings: SETTINGS, trigger, count: estimateLineTokens });
      if (plan.kind !== 'summarise') throw new Error(plan.reason);
      let atOnce = 0;
      let most = 0;
      const prompts: string[] = [];
      // A model that never stops before its bound.
      const ask: AskModel = async (prompt, maxTokens) => {
        prompts.push(prompt);
        most = Math.max(most, (atOnce += 1));
        await new Promise((resolve) => setImmediate(resolve));
        atOnce -= 1;
        return 'w'.repeat(maxTokens * 4);
      };
      const { text, passes } = await summarise({ path, chunks: plan.chunks, previousSummary: 'p'.repeat(100_000), windowTokens: WINDOW, ask, signal });
      expect(passes).toBeLessThanOrEqual(PASSES_MAX);
      expect(most).toBeLessThanOrEqual(PARALLEL_MAX);
      expect(plan.keptTokens + estimateTextTokens(text)).toBeLessThan(0.6 * WINDOW);
      for (const prompt of prompts) expect(estimateTextTokens(prompt) + summaryTokens(WINDOW)).toBeLessThan(WINDOW);
    }
  });

  it('stops after four passes however long the conversation is: what is left then is joined and fits', async () => {
    const path = branch(talk(150));
    const plan = planCompaction({ path, windowTokens: WINDOW, settings: SETTINGS, trigger: 'manual', count: estimateLineTokens });
    if (plan.kind !== 'summarise') throw new Error(plan.reason);
    let asked = 0;
    const ask: AskModel = (_prompt, maxTokens) => ((asked += 1), Promise.resolve('w'.repeat(maxTokens * 4)));
    const { text, passes } = await summarise({ path, chunks: plan.chunks, previousSummary: undefined, windowTokens: WINDOW, ask, signal });
    expect(passes).toBe(PASSES_MAX);
    expect(asked).toBeGreaterThan(plan.chunks.length);
    expect(plan.keptTokens + estimateTextTokens(text)).toBeLessThan(0.6 * WINDOW);
  });

  it('sees every line of the range', async () => {
    const path = branch(talk(3));
    const plan = planCompaction({ path, windowTokens: WINDOW, settings: SETTINGS, trigger: 'manual', count: estimateLineTokens });
    if (plan.kind !== 'summarise') throw new Error(plan.reason);
    const prompts: string[] = [];
    await summarise({ path, chunks: plan.chunks, previousSummary: undefined, windowTokens: WINDOW, signal, ask: (prompt) => (prompts.push(prompt), Promise.resolve('s')) });
    for (let index = 0; index < 60; index += 1) expect(prompts.filter((prompt) => prompt.includes(`#${String(index)} `))).toHaveLength(1);
  });

  it('halves what overflows the real window, and gives up when even little does', async () => {
    const path = branch(talk(1));
    const chunks = [{ from: 0, to: path.length, tokens: 1, isOversized: false }];
    const overflow = new ModelFailure('overflow', { provider: 'p', model: 'm' });
    const small: AskModel = (prompt) => (prompt.length > 12_000 ? Promise.reject(overflow) : Promise.resolve('part'));
    expect((await summarise({ path, chunks, previousSummary: undefined, windowTokens: WINDOW, ask: small, signal })).text).toContain('part');
    await expect(summarise({ path, chunks, previousSummary: undefined, windowTokens: WINDOW, ask: () => Promise.reject(overflow), signal })).rejects.toBe(overflow);
  });
});

it('neighbours are merged at least two by two', () => {
  expect(grouped(['a', 'b', 'c', 'd', 'e'], 1).map((group) => group.length)).toEqual([2, 2, 1]);
  expect(grouped(['a', 'b', 'c'], 100)).toEqual([['a', 'b', 'c']]);
});

it('long texts lose their middles, short ones nothing', () => {
  expect(shortened('x'.repeat(500), 100)).toHaveLength(100);
  expect(shortened('short', 100)).toBe('short');
  const text = renderLines(branch([{ role: 'user', content: 'find it' }, { role: 'toolResult', toolCallId: 'c', toolName: 'read', content: [{ type: 'text', text: `A${'x'.repeat(9_000)}Z` }] }]), 1_000);
  expect(text.length).toBeLessThanOrEqual(1_000);
  expect(text).toMatch(/User: find it[^]*Result of read: A[^]*left out[^]*Z$/u);
});

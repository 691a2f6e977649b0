import fc from 'fast-check';
import { assistant, branchOf, brokenConversations, nativeLines, userText } from '../testing/tool-arbitraries';
import { assembleContext, contextProblems } from './assemble-context';
import { boundedContext, leftOutNotice } from './bounded-context';
import { estimateLineTokens } from './count-tokens';

const talk = branchOf(nativeLines(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? userText(`${index}`) : assistant('a'.repeat(4_000))))));
const texts = (context: ReturnType<typeof boundedContext>): string => JSON.stringify(context.messages.map(({ message }) => message));

it('is the whole context where that fits', () => {
  expect(boundedContext(talk, 1_000_000, estimateLineTokens)).toEqual({ messages: assembleContext(talk), leftOutLines: 0, fits: true });
});

it('leaves whole oldest turns out, and says how many lines', () => {
  const context = boundedContext(talk, 3_500, estimateLineTokens);
  expect(context).toMatchObject({ leftOutLines: 14, fits: true });
  expect(texts(context)).toContain(leftOutNotice(14));
  expect(context.messages[1]?.message).toMatchObject({ role: 'user' });
});

it('keeps the summary of an earlier compaction', () => {
  const k = branchOf([JSON.stringify({ type: 'compaction', id: 'k', parentId: null, summary: 'of long ago', firstKeptEntryId: 'k' })]);
  expect(texts(boundedContext([...k, ...talk], 3_500, estimateLineTokens))).toContain('of long ago');
});

it('is valid whatever the conversation has come to', () => {
  fc.assert(fc.property(brokenConversations, fc.integer({ min: 1, max: 3_000 }), (messages, budget) => {
    expect(contextProblems(boundedContext(branchOf(nativeLines(messages)), budget, estimateLineTokens).messages.map(({ message }) => message))).toEqual([]);
  }));
});

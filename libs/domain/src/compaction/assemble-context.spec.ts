import fc from 'fast-check';
import { assistant, branchOf, brokenConversations, nativeLines, toolCall, toolConversations, toolResult, userText } from '../testing/tool-arbitraries';
import { oddLines } from '../testing/transcript-arbitraries';
import { activeBranch } from '../transcript/active-branch';
import { parseTranscriptLine } from '../transcript/parse-line';
import { assembleContext, contextProblems, INTERRUPTED_RESULT_TEXT, missingResults } from './assemble-context';

const contextOf = (messages: Parameters<typeof nativeLines>[0]) => assembleContext(branchOf(nativeLines(messages))).map(({ message }) => message);
const shape = (messages: ReturnType<typeof contextOf>) => messages.map((message) => (message['role'] === 'toolResult' ? `${String(message['toolCallId'])}${message['isError'] === true ? '!' : ''}` : String(message['role'])));

describe('assembleContext', () => {
  it('shows a whole conversation as it stands', () => {
    fc.assert(fc.property(toolConversations, (messages) => {
      const plain = messages.filter((message) => message['role'] !== 'assistant' || (message['content'] as unknown[]).length > 0);
      const context = contextOf(messages);
      expect(contextProblems(context)).toEqual([]);
      expect(context.map((message) => JSON.stringify(message)).sort()).toEqual(plain.map((message) => JSON.stringify(message)).sort());
    }));
  });

  it('is valid after a cut at any line', () => {
    fc.assert(fc.property(toolConversations, fc.nat(), (messages, at) => {
      expect(contextProblems(contextOf(messages.slice(0, at % (messages.length + 1))))).toEqual([]);
      expect(contextProblems(contextOf(messages.slice(at % (messages.length + 1))))).toEqual([]);
    }));
  });

  it('is valid whatever was lost, doubled, moved or half written', () => {
    fc.assert(fc.property(brokenConversations, (messages) => expect(contextProblems(contextOf(messages))).toEqual([])), { numRuns: 500 });
  });

  it('reads any lines without throwing', () => {
    fc.assert(fc.property(fc.array(oddLines, { maxLength: 30 }), (lines) => {
      assembleContext(activeBranch(lines.map((line, index) => parseTranscriptLine(line, index + 1))).path);
    }));
  });

  it('closes each of 1 508 calls when the run dies between the call and its result', () => {
    const whole = Array.from({ length: 1_508 }, (_, index) => [assistant('', [toolCall(`t${String(index)}`)]), toolResult(`t${String(index)}`)]);
    const messages = [userText('go'), ...whole.flat()];
    const path = branchOf(nativeLines(messages));
    for (let index = 0; index < 1_508; index += 1) {
      // Every call with the twenty lines before it, and the whole conversation at each fiftieth.
      const dead = path.slice(index % 50 === 0 ? 0 : Math.max(0, 2 * index - 20), 2 * index + 2);
      const repaired = assembleContext(dead).map(({ message }) => message);
      expect(contextProblems(repaired)).toEqual([]);
      expect(repaired.at(-1)).toMatchObject({ role: 'toolResult', toolCallId: `t${String(index)}`, isError: true, content: [{ text: INTERRUPTED_RESULT_TEXT }] });
    }
  });

  it('tells which results to append', () => {
    expect(missingResults(branchOf(nativeLines([userText('a'), assistant('', [toolCall('1'), toolCall('2')]), toolResult('1')]))).map((message) => message['toolCallId'])).toEqual(['2']);
  });

  it('moves late results up to their calls, keeps the first of two and leaves strangers out', () => {
    expect(shape(contextOf([userText('a'), assistant('', [toolCall('1'), toolCall('2')]), userText('steer'), toolResult('2'), toolResult('2', 'again'), toolResult('x'), toolResult('1')]))).toEqual(['user', 'assistant', '1', '2', 'user']);
  });

  it('answers an open call, but drops calls of a run that was broken off', () => {
    expect(shape(contextOf([userText('a'), assistant('t', [toolCall('1')])]))).toEqual(['user', 'assistant', '1!']);
    const aborted = contextOf([userText('a'), assistant('t', [toolCall('1'), toolCall('2')], 'aborted'), toolResult('2')]);
    expect(shape(aborted)).toEqual(['user', 'assistant', '2']);
    expect(aborted[1]?.['content']).toEqual([{ type: 'text', text: 't' }, toolCall('2')]);
    expect(shape(contextOf([userText('a'), assistant('', [toolCall('1')], 'error')]))).toEqual(['user']);
  });

  it('begins with the summary of the newest compaction', () => {
    const lines = [...nativeLines([userText('old'), userText('kept')]), JSON.stringify({ type: 'compaction', id: 'c', parentId: '00000002', summary: 'S', firstKeptEntryId: '00000002' })];
    expect(assembleContext(branchOf(lines)).map(({ lineId, message }) => [lineId, JSON.stringify(message['content'])])).toEqual([['c', expect.stringContaining('S')], ['00000002', expect.stringContaining('kept')]]);
  });
});

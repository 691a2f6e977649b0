import fc from 'fast-check';
import { nativeTranscripts, oddLines, simpleTranscripts } from '../testing/transcript-arbitraries';
import { historyView, withoutTools, type HistoryOptions, type HistoryView } from './history-view';
import { parseTranscriptLine, type ParsedLine } from './parse-line';

const read = (lines: readonly string[]): ParsedLine[] => lines.map((line, index) => parseTranscriptLine(line, index + 1));
const message = (id: string, parentId: string | null, body: object, around: object = {}): string => JSON.stringify({ type: 'message', id, parentId, ...around, message: body });

const CALL = { type: 'toolCall', id: 'c', name: 'read', arguments: {} };
const TEXT = { type: 'text', text: 'hm' };
const LINES = read([
  '{"type":"session","version":3,"id":"s"}',
  message('a', null, { role: 'user', content: 'one' }),
  message('b', 'a', { role: 'assistant', content: [TEXT, CALL] }),
  message('c', 'b', { role: 'toolResult', toolCallId: 'c', content: [TEXT] }),
  message('x', 'a', { role: 'assistant', content: 'aside' }, { appendMode: 'side' }),
  '{"type":"model_change","id":"m","parentId":"c","provider":"p","modelId":"q"}',
  'not json',
  message('d', 'm', { role: 'assistant', content: [CALL] }),
  message('e', 'd', { role: 'assistant', content: 'two' }),
]);

const numbers = (view: HistoryView): [number, string][] => view.items.map(({ seq, id }) => [seq, id]);

describe('the history of a transcript', () => {
  it('numbers every message of the file and shows those of the branch', () => {
    expect(historyView(LINES, { includeTools: true })).toMatchObject({ totalMessages: 6, hasMore: false, nextBefore: undefined });
    expect(numbers(historyView(LINES, { includeTools: true }))).toEqual([[1, 'a'], [2, 'b'], [3, 'c'], [5, 'd'], [6, 'e']]);
  });

  it('leaves out tool results and tool calls when it is asked to, and keeps the numbers', () => {
    const view = historyView(LINES, { includeTools: false });
    expect(numbers(view)).toEqual([[1, 'a'], [2, 'b'], [6, 'e']]);
    expect(view.items[1]?.message).toEqual({ role: 'assistant', content: [TEXT] });
  });

  it('comes in pages from the newest, each ascending', () => {
    const first = historyView(LINES, { includeTools: true, limit: 2 });
    expect(numbers(first)).toEqual([[5, 'd'], [6, 'e']]);
    expect(first).toMatchObject({ hasMore: true, nextBefore: 5 });
    expect(numbers(historyView(LINES, { includeTools: true, limit: 2, beforeSeq: 5 }))).toEqual([[2, 'b'], [3, 'c']]);
    expect(historyView(LINES, { includeTools: true, limit: 2, beforeSeq: 2 })).toMatchObject({ hasMore: false, nextBefore: undefined });
  });

  it('of a simple transcript goes by lines', () => {
    expect(numbers(historyView(read(['{"role":"user","content":"a"}', '', '{"role":"assistant","content":"b"}']), { includeTools: false }))).toEqual([[1, 'L1'], [2, 'L3']]);
  });

  it('is the same in pages of any size as in one', () => {
    const transcripts = fc.oneof(nativeTranscripts.map(({ lines }) => lines), simpleTranscripts, fc.array(oddLines, { maxLength: 20 }));
    fc.assert(
      fc.property(transcripts, fc.integer({ min: 1, max: 5 }), fc.boolean(), (texts, limit, includeTools) => {
        const lines = read(texts);
        const paged: [number, string][] = [];
        for (let options: HistoryOptions | undefined = { includeTools, limit }; options !== undefined; ) {
          const page: HistoryView = historyView(lines, options);
          expect(page.items.length).toBeLessThanOrEqual(limit);
          paged.unshift(...numbers(page));
          options = page.nextBefore === undefined ? undefined : { includeTools, limit, beforeSeq: page.nextBefore };
        }
        expect(paged).toEqual(numbers(historyView(lines, { includeTools })));
      }),
    );
  });

  it('keeps the numbers and places of older messages when lines are appended', () => {
    fc.assert(
      fc.property(simpleTranscripts, simpleTranscripts, (before, after) => {
        const old = numbers(historyView(read(before), { includeTools: true }));
        expect(numbers(historyView(read([...before, ...after]), { includeTools: true })).slice(0, old.length)).toEqual(old);
      }),
    );
  });
});

describe('a message without its tools', () => {
  it.each([
    [{ role: 'toolResult', content: [TEXT] }, undefined],
    [{ role: 'assistant', content: [CALL] }, undefined],
    [{ role: 'assistant', content: [{ type: 'thinking', thinking: 'x' }, CALL] }, undefined],
    [{ role: 'assistant', content: [TEXT, CALL] }, { role: 'assistant', content: [TEXT] }],
  ])('of %j is %j', (given, expected) => expect(withoutTools(given)).toEqual(expected));

  it('is the same object when it has none', () => {
    for (const given of [{ role: 'user', content: 'x' }, { role: 'assistant', content: [] }, { role: 'assistant', content: [TEXT] }]) expect(withoutTools(given)).toBe(given);
  });
});

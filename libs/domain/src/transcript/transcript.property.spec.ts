import fc from 'fast-check';
import { anyCharacters } from '../testing/text-arbitraries';
import { chatMessages, nativeTranscripts, oddLines, simpleTranscripts } from '../testing/transcript-arbitraries';
import { activeBranch } from './active-branch';
import { displayMessage } from './display';
import { parseTranscriptLine, type ParsedLine } from './parse-line';
import { cutText, previewOf } from './preview';

const read = (lines: readonly string[]): ParsedLine[] => lines.map((line, index) => parseTranscriptLine(line, index + 1));

describe('transcripts of any kind', () => {
  it('have the branch that they were grown with', () => {
    fc.assert(
      fc.property(nativeTranscripts, ({ lines, branch }) => {
        const found = activeBranch(read(lines));
        expect(found.path.map((line) => line.id)).toEqual(branch);
        expect(found).toMatchObject({ leafId: branch.at(-1) ?? null, brokenAt: [], ignoredLeafLines: [], malformedLines: 0 });
      }),
    );
  });

  it('are one branch in file order when they are simple', () => {
    fc.assert(fc.property(simpleTranscripts, (lines) => expect(activeBranch(read(lines)).path.map((line) => line.id)).toEqual(lines.map((_, index) => `L${index + 1}`))));
  });

  it('are read whatever stands in them, each line at most once and in file order', () => {
    fc.assert(
      fc.property(fc.array(oddLines, { maxLength: 30 }), (lines) => {
        const numbers = activeBranch(read(lines)).path.map((line) => line.number);
        expect(numbers).toEqual([...new Set(numbers)].sort((left, right) => left - right));
      }),
    );
  });

  it('keep their branch, but for the lost line, when one line of a plain branch is damaged', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), (count, at) => {
        const damaged = at % (count - 1);
        const lines = Array.from({ length: count }, (_, index) => JSON.stringify({ type: 'message', id: `i${index}`, parentId: index === 0 ? null : `i${index - 1}`, message: { role: 'user', content: '' } }));
        lines[damaged] = lines[damaged]?.slice(0, -1) ?? '';
        const found = activeBranch(read(lines));
        expect(found.path.map((line) => line.number)).toEqual(lines.map((_, index) => index + 1).filter((number) => number !== damaged + 1));
      }),
    );
  });
});

describe('texts for people', () => {
  it('are the same when they are made from what is shown already', () => {
    fc.assert(
      fc.property(chatMessages, (message) => {
        const shown = displayMessage(message);
        if (shown !== undefined && message['role'] === 'assistant') expect(displayMessage(shown) ?? shown).toEqual(shown);
      }),
    );
  });

  it('never leave their bound and never hold half a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacters, maxLength: 60 }), fc.integer({ min: 3, max: 40 }), (text, charsMax) => {
        const cut = cutText(text, charsMax);
        expect(cut.length).toBeLessThanOrEqual(Math.max(charsMax, text.length <= charsMax ? text.length : 0));
        expect(() => encodeURIComponent(previewOf({ role: 'user', content: text }, charsMax) ?? '')).not.toThrow();
      }),
    );
  });
});

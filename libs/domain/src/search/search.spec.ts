import { SessionRow } from '@sessions/contracts';
import fc from 'fast-check';
import { anyCharacters } from '../testing/text-arbitraries';
import { SessionError } from '../errors';
import { nameSnippetOf } from './name-snippet';
import { QUERY_CHARS_MAX, matchExpression, parseSearchQuery } from './search-query';
import { SNIPPET_CHARS_MAX, snippetOf } from './snippet';
import { indexedWords, wordsOf } from './words';

const parsed = (query: string): string[] => parseSearchQuery(query).map(({ words, isPrefix }) => `${words.join(' ')}${isPrefix ? '*' : ''}`);
const refusal = (query: string): string => {
  try {
    parseSearchQuery(query);
  } catch (error) {
    if (error instanceof SessionError && error.reason === 'VALIDATION') return error.message;
    throw error;
  }
  return '';
};

describe('words', () => {
  it('are runs of letters and digits, without case and marks', () => {
    expect(indexedWords('Plan the CAFÉ-release, v2.1!')).toBe('plan the cafe release v2 1');
    expect(indexedWords('Straße ﬁn İstanbul')).toBe('straße fin istanbul');
    expect(indexedWords('\u0000\ud800 "*" ()')).toBe('');
  });

  it('are single characters where no blanks stand between words', () => {
    expect(indexedWords('東京タワー2024年 abc')).toBe('東 京 タ ワ ー 2024 年 abc');
  });

  it('know where they stand', () => {
    expect([...wordsOf('  Café ok')]).toEqual([{ text: 'cafe', start: 2, end: 6 }, { text: 'ok', start: 7, end: 9 }]);
  });

  it('are for the index what they are for the query, however much of the text is ASCII', () => {
    const ascii = fc.string({ unit: 'binary-ascii', maxLength: 300 });
    const long = fc.string({ unit: fc.constantFrom('a', 'B', '7', ' '), maxLength: 200 });
    fc.assert(fc.property(fc.oneof(ascii, long, fc.string({ unit: 'grapheme', maxLength: 60 })), (text) => expect(indexedWords(text)).toBe([...wordsOf(text)].map((word) => word.text).join(' '))));
  });
});

describe('a query', () => {
  it('is read literally: words, phrases, beginnings', () => {
    expect(parsed('plan release')).toEqual(['plan', 'release']);
    expect(parsed('"plan the" rel*')).toEqual(['plan the', 'rel*']);
    expect(parsed('foo-bar NEAR(a b) c:d OR')).toEqual(['foo bar', 'near a', 'b', 'c d', 'or']);
    expect(parsed('unbalanced "quote')).toEqual(['unbalanced', 'quote']);
    expect(parsed('r* {x} ^y')).toEqual(['r', 'x', 'y']);
    expect(parsed('a\u0000b')).toEqual(['a b']);
    expect(parsed('東京')).toEqual(['東 京']);
  });

  it('names what is wrong with it', () => {
    expect(refusal('')).toContain('1 to 512');
    expect(refusal('x'.repeat(10_000))).toContain('1 to 512');
    expect(refusal('"" * () \u0000')).toContain('a letter or a digit');
    expect(refusal('a '.repeat(33))).toContain('at most 32 words');
  });

  it('asks the index for each of its words once, wherever they stand', () => {
    expect(matchExpression(parseSearchQuery('"the release plan"* the foo-bar rel*'))).toBe('"the" AND "release" AND "plan" * AND "foo" AND "bar" AND "rel" *');
  });

  it('becomes an expression without anything that could be an operator, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacters, maxLength: QUERY_CHARS_MAX }), (query) => {
        if (refusal(query) !== '') return;
        expect(matchExpression(parseSearchQuery(query))).toMatch(/^"[\p{L}\p{N}]+"( \*)?( AND "[\p{L}\p{N}]+"( \*)?)*$/u);
      }),
    );
  });
});

describe('a snippet', () => {
  const of = (text: string, query: string): string | undefined => {
    const found = snippetOf(text, parseSearchQuery(query));
    if (found === undefined) return undefined;
    let shown = '';
    let at = 0;
    for (const { start, end } of found.highlights) {
      shown += `${found.snippet.slice(at, start)}[${found.snippet.slice(start, end)}]`;
      at = end;
    }
    return shown + found.snippet.slice(at);
  };

  it('is the piece in which the words stand, marked', () => {
    expect(of('Plan the release', 'RELEASE plan')).toBe('[Plan] the [release]');
    expect(of('one\ntwo\u001b[2Jthree', 'two')).toBe('one [two] [2Jthree');
    expect(of('x '.repeat(200) + 'needle' + ' y'.repeat(200), 'needle')).toMatch(/^…(x )+\[needle\]( y)+ ?…$/);
    expect(of('we go to 東京タワー', '京タ')).toBe('we go to 東[京タ]ワー');
  });

  it('is none where a word is missing, or a phrase is not one', () => {
    expect(of('Plan the release', 'plan b')).toBeUndefined();
    expect(of('Plan the release', '"plan release"')).toBeUndefined();
    expect(of('Plan the release', 'rele')).toBeUndefined();
    expect(of('Plan the release', 'rele*')).toBe('Plan the [release]');
  });

  it('has its bound, and its places in it, whatever the text is', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacters, maxLength: 1000 }), fc.nat(), (text, pick) => {
        const words = [...wordsOf(text)];
        const word = words[pick % Math.max(1, words.length)];
        if (word === undefined) return;
        const found = snippetOf(text, [{ words: [word.text], isPrefix: false }]);
        expect(found?.snippet.length).toBeLessThanOrEqual(SNIPPET_CHARS_MAX);
        expect(found?.highlights.every(({ start, end }) => start < end && end <= (found?.snippet.length ?? 0))).toBe(true);
      }),
    );
  });
});

describe('the snippet of a name', () => {
  const row = (members: Partial<SessionRow>): SessionRow => SessionRow.create({ key: 'agent:main:main', ...members });
  const marked = (found: SessionRow, query: string): string[] => {
    const { snippet, highlights } = nameSnippetOf(found, query);
    return highlights.map(({ start, end }) => snippet.slice(start, end));
  };

  it('is the first name in which the query stands, with its place', () => {
    expect(nameSnippetOf(row({ label: 'Plans', subject: 'Release plans' }), 'REL')).toEqual({ snippet: 'Release plans', highlights: [{ start: 0, end: 3 }] });
    expect(nameSnippetOf(row({ modelProvider: 'demo', model: 'echo' }), 'o/e')).toEqual({ snippet: 'demo/echo', highlights: [{ start: 3, end: 6 }] });
    expect(nameSnippetOf(row({ label: 'a' }), 'a\nagent')).toEqual({ snippet: 'agent:main:main', highlights: [] });
  });

  it('has the place where lower case is longer than what was written', () => {
    expect(marked(row({ label: 'İİİİ İstanbul office' }), 'stanbul off')).toEqual(['stanbul off']);
    expect(marked(row({ label: 'İİİİ İstanbul office' }), 'İstanbul')).toEqual(['İstanbul']);
    expect(marked(row({ label: 'İİİİ office' }), 'office')).toEqual(['office']);
  });

  it('shows the piece of a long name in which the query stands, of a long query its beginning', () => {
    const long = nameSnippetOf(row({ label: `${'x'.repeat(300)} needle` }), 'needle');
    expect(long.snippet).toMatch(/^….*needle$/);
    expect(marked(row({ label: `${'x'.repeat(300)} needle` }), 'needle')).toEqual(['needle']);
    const [{ start, end } = { start: 0, end: 0 }] = nameSnippetOf(row({ label: 'y'.repeat(400) }), 'y'.repeat(300)).highlights;
    expect(end - start).toBeGreaterThan(100);
    expect(end).toBeLessThanOrEqual(SNIPPET_CHARS_MAX);
  });

  it('has its bound, and its places in it, whatever the name is', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacters, minLength: 1, maxLength: 500 }), fc.nat(), fc.nat({ max: 300 }), (label, pick, length) => {
        const from = pick % label.length;
        const { snippet, highlights } = nameSnippetOf(row({ label }), label.slice(from, from + Math.max(1, length)));
        expect(snippet.length).toBeLessThanOrEqual(SNIPPET_CHARS_MAX);
        expect(highlights.every(({ start, end }) => start < end && end <= snippet.length)).toBe(true);
      }),
    );
  });
});

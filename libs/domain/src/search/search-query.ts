/**
 * A person's query, read literally: every word must occur, words in double quotes (or joined without
 * a blank, as in `foo-bar`) next to each other, and `release*` stands for all words that begin so.
 * There are no operators: `AND`, `OR`, brackets and the like are words or nothing.
 */
import { SessionError } from '../errors';
import { wordsOf } from './words';

/** UTF-16 units. */
export const QUERY_CHARS_MAX = 512;
/** Words of one query. */
export const QUERY_WORDS_MAX = 32;
/** A shorter beginning stands for too many words. */
export const PREFIX_CHARS_MIN = 2;

/** Words that stand next to each other. */
export interface SearchTerm {
  readonly words: readonly string[];
  /** The last one is the beginning of a word. */
  readonly isPrefix: boolean;
}

const PIECE = /"([^"]*)"(\*?)|([^\s"]+)|"/g;

/** @throws VALIDATION for a query that is empty, too long, or has nothing to search for */
export function parseSearchQuery(query: string): SearchTerm[] {
  if (query.trim() === '' || query.length > QUERY_CHARS_MAX) {
    throw new SessionError('VALIDATION', `query must have 1 to ${QUERY_CHARS_MAX} characters`, { facts: { queryChars: query.length } });
  }
  const terms: SearchTerm[] = [];
  let wordsCount = 0;
  for (const [, quoted, star, plain = ''] of query.matchAll(PIECE)) {
    const words = [...wordsOf(quoted ?? plain)].map(({ text }) => text);
    const last = words[words.length - 1];
    if (last === undefined) continue;
    wordsCount += words.length;
    const asksForPrefix = quoted === undefined ? plain.endsWith('*') : star === '*';
    terms.push({ words, isPrefix: asksForPrefix && last.length >= PREFIX_CHARS_MIN });
  }
  if (terms.length === 0) throw new SessionError('VALIDATION', 'query must have a letter or a digit to search for');
  if (wordsCount > QUERY_WORDS_MAX) throw new SessionError('VALIDATION', `query must have at most ${QUERY_WORDS_MAX} words`);
  return terms;
}

/**
 * For SQLite's full-text search, which knows which words a message has and not where: each of the query's
 * words must occur. Words hold letters and digits only, so nothing needs escaping.
 */
export function matchExpression(terms: readonly SearchTerm[]): string {
  const words = wordsApart(terms).map(({ words: [word], isPrefix }) => `"${String(word)}"${isPrefix ? ' *' : ''}`);
  return [...new Set(words)].join(' AND ');
}

/** A query's words, wherever each of them stands. */
export function wordsApart(terms: readonly SearchTerm[]): SearchTerm[] {
  return terms.flatMap(({ words, isPrefix }) => words.map((word, index) => ({ words: [word], isPrefix: isPrefix && index === words.length - 1 })));
}

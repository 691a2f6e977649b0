/**
 * What counts as a word when texts are searched: a run of letters and digits, without case and
 * without marks (`Café` is found as `cafe`). Scripts that put no blanks between words have each
 * character for a word, so that any run of them can be found as a phrase. The index, the query and
 * the snippet all take their words from here, so they cannot disagree.
 */

/** Characters of a word that count; a longer one is known by its beginning. */
export const WORD_CHARS_MAX = 64;
/** Characters of one message that are looked at. UTF-16 units. */
export const SEARCHED_CHARS_MAX = 64 * 1024;

export interface Word {
  /** As it is compared. */
  readonly text: string;
  /** Place in the text, in UTF-16 units. */
  readonly start: number;
  /** Behind its last character. */
  readonly end: number;
}

const RUN = /[\p{L}\p{N}\p{M}]+/gu;
/** The same in lower-case ASCII. */
const ASCII_RUN = /[a-z0-9]+/g;
const ASCII = /^[\x00-\x7f]*$/;
const SPACELESS = /[\p{Script_Extensions=Han}\p{Script_Extensions=Hiragana}\p{Script_Extensions=Katakana}\p{Script_Extensions=Thai}\p{Script_Extensions=Lao}\p{Script_Extensions=Khmer}\p{Script_Extensions=Myanmar}]/u;

/** The words of a text in order. */
export function* wordsOf(text: string): Generator<Word> {
  for (const { 0: run, index } of text.matchAll(RUN)) {
    if (ASCII.test(run) || !SPACELESS.test(run)) {
      const folded = foldWord(run);
      if (folded !== '') yield { text: folded, start: index, end: index + run.length };
    } else yield* spacelessWords(run, index);
  }
}

/** The words of a text with blanks between them: what the index is given. */
export function indexedWords(text: string): string {
  // Most texts are ASCII altogether; then nothing has to be known of scripts and marks.
  if (ASCII.test(text)) return (text.toLowerCase().match(ASCII_RUN) ?? []).map((run) => (run.length > WORD_CHARS_MAX ? run.slice(0, WORD_CHARS_MAX) : run)).join(' ');
  const words: string[] = [];
  for (const word of wordsOf(text)) words.push(word.text);
  return words.join(' ');
}

/** A run in which some characters are words by themselves, and the rest are words as anywhere. */
function* spacelessWords(run: string, offset: number): Generator<Word> {
  let begun = -1;
  let at = 0;
  const rest = function* (end: number): Generator<Word> {
    if (begun === -1) return;
    const folded = foldWord(run.slice(begun, end));
    if (folded !== '') yield { text: folded, start: offset + begun, end: offset + end };
    begun = -1;
  };
  for (const character of run) {
    if (SPACELESS.test(character)) {
      yield* rest(at);
      const folded = foldWord(character);
      if (folded !== '') yield { text: folded, start: offset + at, end: offset + at + character.length };
    } else if (begun === -1) begun = at;
    at += character.length;
  }
  yield* rest(at);
}

function foldWord(run: string): string {
  if (ASCII.test(run)) return run.slice(0, WORD_CHARS_MAX).toLowerCase();
  return run.normalize('NFKD').toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '').slice(0, WORD_CHARS_MAX);
}

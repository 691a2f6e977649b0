/** The piece of a text in which a query's words stand, in one line, with their places in it. */
import type { SearchTerm } from './search-query';
import { SEARCHED_CHARS_MAX, wordsOf, type Word } from './words';

/** UTF-16 units, dots included. */
export const SNIPPET_CHARS_MAX = 200;
/** Of the text before the first place. */
const LEAD_CHARS = 60;
/** Places of one snippet. */
const HIGHLIGHTS_MAX = 20;
const DOTS = '…';

export interface Highlight {
  /** In UTF-16 units of the snippet. */
  readonly start: number;
  /** Behind its last character. */
  readonly end: number;
}

export interface Snippet {
  readonly snippet: string;
  /** In order, without overlaps. */
  readonly highlights: readonly Highlight[];
}

/** @returns undefined when the text has not all terms. */
export function snippetOf(text: string, terms: readonly SearchTerm[]): Snippet | undefined {
  const searched = text.slice(0, SEARCHED_CHARS_MAX);
  const words = [...wordsOf(searched)];
  const places: Highlight[] = [];
  for (const term of terms) {
    const found = placesOf(words, term);
    if (found.length === 0) return undefined;
    places.push(...found);
  }
  places.sort((a, b) => a.start - b.start || b.end - a.end);
  return cutAround(searched, places);
}

function placesOf(words: readonly Word[], { words: wanted, isPrefix }: SearchTerm): Highlight[] {
  const places: Highlight[] = [];
  const last = wanted.length - 1;
  for (let at = 0; at + last < words.length && places.length < HIGHLIGHTS_MAX; at += 1) {
    const isHere = wanted.every((word, index) => {
      const text = words[at + index]?.text ?? '';
      return isPrefix && index === last ? text.startsWith(word) : text === word;
    });
    if (isHere) places.push({ start: words[at]?.start ?? 0, end: words[at + last]?.end ?? 0 });
  }
  return places;
}

/** The whole text where it fits, else the piece around the first place. @param places in order */
export function cutAround(text: string, places: readonly Highlight[]): Snippet {
  const first = places[0]?.start ?? 0;
  const from = text.length <= SNIPPET_CHARS_MAX || first <= LEAD_CHARS ? 0 : wordStart(text, first - LEAD_CHARS, first);
  const head = from > 0 ? DOTS : '';
  const room = SNIPPET_CHARS_MAX - head.length;
  const isCut = text.length - from > room;
  const to = isCut ? wholeCharacter(text, from + room - DOTS.length) : text.length;
  // One for one, so that places stay places; bytes that move a terminal's cursor are none of a snippet.
  const shown = text.slice(from, to).replace(/[\s\p{Cc}\p{Cf}\p{Cs}]/gu, (character) => ' '.repeat(character.length));
  const highlights: Highlight[] = [];
  let end = from;
  for (const place of places) {
    if (place.start < end || place.start >= to || highlights.length >= HIGHLIGHTS_MAX) continue;
    // Of one that is longer than there is room for, the part that is shown.
    end = Math.min(place.end, to);
    highlights.push({ start: place.start - from + head.length, end: end - from + head.length });
  }
  return { snippet: `${head}${shown}${isCut ? DOTS : ''}`, highlights };
}

/** Behind the first blank from here on, if there is one before the place. */
function wordStart(text: string, from: number, before: number): number {
  const blank = text.slice(from, before).search(/\s/);
  return blank === -1 ? wholeCharacter(text, from) : from + blank + 1;
}

/** Not between the halves of one character. */
function wholeCharacter(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff ? at - 1 : at;
}

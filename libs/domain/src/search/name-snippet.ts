/** Which of a session's names a search has found, with the place of the query in it. */
import type { SessionRow } from '@sessions/contracts';
import { searchedNamesOf } from '../list/session-row';
import { cutAround, type Highlight, type Snippet } from './snippet';

/** @param query as a person wrote it, a piece of a name in any case */
export function nameSnippetOf(row: SessionRow, query: string): Snippet {
  const needle = query.toLowerCase();
  for (const name of searchedNamesOf(row)) {
    const place = placeOf(name, needle);
    if (place !== undefined) return cutAround(name, [place]);
  }
  // Found across two names: shown as what it is.
  return cutAround(row.key, []);
}

/** Lower case may be longer than what was written (`İ`), so places are counted back to that. */
function placeOf(name: string, needle: string): Highlight | undefined {
  const lower = name.toLowerCase();
  const at = lower.indexOf(needle);
  if (at === -1) return undefined;
  const until = at + needle.length;
  if (lower.length === name.length) return { start: at, end: until };
  let written = 0;
  let lowered = 0;
  let start = 0;
  for (const character of name) {
    if (lowered >= until) break;
    if (lowered <= at) start = written;
    written += character.length;
    lowered += character.toLowerCase().length;
  }
  return { start, end: written };
}

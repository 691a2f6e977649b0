/** Hits of a search as lines of text, what was searched for between « and ». */
import type { SearchHit } from '../offline/search-files';
import { keyText } from './key-text';
import { visibleText } from './visible-text';

/** `key: snippet` for sessions, `[time] key role: snippet` for messages. */
export function renderHit(hit: SearchHit): string {
  const key = keyText(hit.key);
  if (hit.messageId === undefined) return `${key}: ${marked(hit)}\n`;
  const time = hit.at === undefined ? 'unknown' : new Date(hit.at).toISOString();
  return `[${time}] ${key} ${visibleText(hit.role ?? '')}: ${marked(hit)}\n`;
}

function marked({ snippet, highlights }: SearchHit): string {
  let text = '';
  let at = 0;
  for (const [start, end] of highlights) {
    text += `${visibleText(snippet.slice(at, start))}«${visibleText(snippet.slice(start, end))}»`;
    at = end;
  }
  return text + visibleText(snippet.slice(at));
}

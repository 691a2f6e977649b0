/** Stored text on a terminal: it may hold anything, and none of it is obeyed. */
import { visible } from './table';

/** Line breaks and tabs stay, other control characters are shown as `\u001b`. */
export function visibleText(text: string): string {
  return text.split('\n').map((line) => line.split('\t').map(visible).join('\t')).join('\n');
}

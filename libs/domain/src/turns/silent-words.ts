/** Words by which an agent says that nothing is to be said. */
import { isSilentReply } from '../transcript/display';

/** True for a text that is the word, blanks around it aside. */
export function isExactly(text: string, word: 'REPLY_SKIP' | 'ANNOUNCE_SKIP'): boolean {
  return text.trim() === word;
}

export function isSilentText(text: string): boolean {
  return isSilentReply({ role: 'assistant', content: text });
}

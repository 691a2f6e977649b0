/** A text that grows on a terminal: each word is printed once, whatever form its news come in. */
import { visibleText } from './visible-text';

export class StreamedText {
  /** As it came, of the message that is being printed. */
  #shown = '';

  constructor(private readonly write: (text: string) => void) {}

  /** @param news the whole text so far, what is new of it, or both */
  grow({ text, delta }: { readonly text?: string | undefined; readonly delta?: string | undefined }): void {
    const now = text ?? this.#shown + (delta ?? '');
    if (now.startsWith(this.#shown)) return this.#print(now.slice(this.#shown.length), now);
    // Another message of the same turn, after a tool was called.
    this.#print(`${this.#shown === '' ? '' : '\n'}${now}`, now);
  }

  /** The whole of the last message; ends its line. */
  end(text: string): void {
    if (text !== '') this.grow({ text });
    if (this.#shown !== '' && !this.#shown.endsWith('\n')) this.write('\n');
    this.#shown = '';
  }

  #print(news: string, now: string): void {
    if (news !== '') this.write(visibleText(news));
    this.#shown = now;
  }
}

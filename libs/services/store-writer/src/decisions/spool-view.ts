/**
 * Texts too long for an entry, as decisions see them: each is a file named by its hash. A decision that
 * needs one written or read throws; its caller does that and has it decided anew.
 */
import { createHash } from 'node:crypto';

/** Text that stays in the entry. Bytes. */
export const INLINE_BYTES_MAX = 4 * 1024;

/** Write this file first. */
export class SpoolUnwritten extends Error {
  constructor(
    readonly file: string,
    readonly text: string,
  ) {
    super('a text has to be kept in a file first');
  }
}

/** Read this file first. */
export class SpoolUnread extends Error {
  constructor(readonly file: string) {
    super('a text has to be read first');
  }
}

/** What is written, and what is read, so far. */
export class SpoolView {
  readonly #written = new Set<string>();
  readonly #texts = new Map<string, string | undefined>();

  /**
   * @param key session that the text belongs to: the file says so first, so that it goes when the session is erased.
   * @returns the file's name; undefined: the text is short enough to stay where it is. @throws SpoolUnwritten
   */
  keep(key: string, text: string, inlineMax = INLINE_BYTES_MAX): string | undefined {
    if (Buffer.byteLength(text) <= inlineMax) return undefined;
    const whole = `${JSON.stringify({ sessionKey: key })}\n${text}`;
    const name = createHash('sha256').update(whole).digest('hex');
    if (!this.#written.has(name)) throw new SpoolUnwritten(name, whole);
    return name;
  }

  /** @returns undefined when there is no such file. @throws SpoolUnread */
  read(name: string): string | undefined {
    if (!this.#texts.has(name)) throw new SpoolUnread(name);
    return this.#texts.get(name);
  }

  noteWritten(name: string): void {
    this.#written.add(name);
  }

  noteRead(name: string, text: string | undefined): void {
    this.#texts.set(name, text);
  }
}

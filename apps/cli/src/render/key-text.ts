/**
 * Keys as people read them: as they are, or, when something in them cannot be seen, quoted with
 * that written out. Two different keys never print alike: the quoted form has an inverse, and no
 * plain key looks like one.
 */

/** Controls, format and bidirectional marks, lone surrogates, separators other than a plain blank, and the quote. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}"]|(?! )\p{Zs}/u;
const UNSEEN_EACH = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

const written = (character: string): string =>
  Array.from({ length: character.length }, (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`).join('');

export function keyText(key: string): string {
  const plain = key !== '' && !UNSEEN.test(key) && !key.startsWith(' ') && !key.endsWith(' ');
  return plain ? key : JSON.stringify(key).replace(UNSEEN_EACH, written);
}

/** The key that `keyText` prints like this; text that it prints of none is a key as it is. */
export function keyOfText(text: string): string {
  if (!text.startsWith('"')) return text;
  try {
    const key: unknown = JSON.parse(text);
    return typeof key === 'string' ? key : text;
  } catch {
    return text;
  }
}

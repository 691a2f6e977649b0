/** A word as bytes of JSON may have it. */

/** Texts hold JSON that holds texts: a call of a tool in a line, what it read in its answer. */
const ESCAPES_MAX = 3;

/** Each distinct spelling once: a word without quotation marks, backslashes and letters beyond ASCII has one. */
export function spellingsOf(word: string): string[] {
  const spellings = new Set([word]);
  for (let level = 0, last = [word]; level < ESCAPES_MAX; level += 1) {
    last = [...new Set(last.flatMap((one) => [jsonText(one), asciiJson(one)]))].filter((one) => !spellings.has(one));
    for (const one of last) spellings.add(one);
  }
  return [...spellings];
}

function jsonText(word: string): string {
  return JSON.stringify(word).slice(1, -1);
}

/** As programs print JSON that keep to ASCII. */
function asciiJson(word: string): string {
  return jsonText(word).replaceAll(/[^\u0020-\u007e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

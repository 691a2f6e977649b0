/** Entries of a sessions file with the exact bytes of their values, found without the engine's scanner. */

export interface RawEntry {
  readonly key: string;
  readonly text: string;
}

/** @param text a JSON object as JSON.parse accepts it. @throws SyntaxError for anything else. */
export function parseRawEntries(text: string): RawEntry[] {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new SyntaxError('not an object');
  const entries: RawEntry[] = [];
  let at = skipSpace(text, 0) + 1;
  for (;;) {
    at = skipSpace(text, at);
    if (text[at] === '}') return entries;
    if (text[at] === ',') at = skipSpace(text, at + 1);
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    entries.push({ key, text: text.slice(start, end) });
    at = end;
  }
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \n\r\t'.includes(text[at] as string)) at += 1;
  return at;
}

/** @param from place of the opening quote. @returns the place behind the closing one. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; ; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
}

function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const char = text[at] as string;
    if (char === '"') at = endOfString(text, at) - 1;
    else if (char === '{' || char === '[') depth += 1;
    else if ((char === '}' || char === ']') && depth > 0) depth -= 1;
    else if (depth === 0 && (char === ',' || char === '}' || ' \n\r\t'.includes(char))) return at;
    if (depth === 0 && (char === '}' || char === ']')) return at + 1;
    if (depth === 0 && char === '"') return at + 1;
  }
  return text.length;
}

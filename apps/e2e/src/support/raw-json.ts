/** JSON read for its bytes: what stands between a member's colon and its comma, not what it means. */

/** The members of an object and the exact text of each value, in their order. @throws for text that is no object */
export function rawMembers(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let at = skipBlank(text, 0);
  if (text[at] !== '{') throw new Error('not a JSON object');
  at = skipBlank(text, at + 1);
  while (text[at] !== '}') {
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    const valueStart = skipBlank(text, skipBlank(text, keyEnd) + 1);
    const valueEnd = endOfValue(text, valueStart);
    if (members.has(key)) throw new Error(`twice: ${key}`);
    members.set(key, text.slice(valueStart, valueEnd));
    at = skipBlank(text, valueEnd);
    if (text[at] === ',') at = skipBlank(text, at + 1);
    else if (text[at] !== '}') throw new Error(`unexpected text at ${at}`);
  }
  return members;
}

function skipBlank(text: string, from: number): number {
  let at = from;
  while (' \t\r\n'.includes(text[at] ?? 'x')) at += 1;
  return at;
}

function endOfString(text: string, from: number): number {
  if (text[from] !== '"') throw new Error(`no string at ${from}`);
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  throw new Error('a string without end');
}

function endOfValue(text: string, from: number): number {
  if (text[from] === '"') return endOfString(text, from);
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const sign = text[at] ?? '';
    if (sign === '"') at = endOfString(text, at) - 1;
    else if (sign === '{' || sign === '[') depth += 1;
    else if (depth === 0 && (sign === ',' || sign === '}' || /\s/u.test(sign))) return at;
    else if ((sign === '}' || sign === ']') && (depth -= 1) === 0) return at + 1;
  }
  throw new Error('a value without end');
}

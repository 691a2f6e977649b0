/**
 * Keys that UTF-8 cannot hold. JSON can write half a character (`"\ud800"`); SQLite's text cannot.
 * Such an entry is kept under the escaped form of its key behind a NUL, which no other key begins
 * with, is not listed, and is written back to `sessions.json` as it stood.
 */

const LONE_SURROGATE = /\p{Surrogate}/u;
const MARK = '\u0000';

/** The key as the index stores it. */
export function toIndexKey(key: string): string {
  return LONE_SURROGATE.test(key) ? `${MARK}${JSON.stringify(key).slice(1, -1)}` : key;
}

/** True for the stored form of a key that UTF-8 cannot hold. */
export function isOddIndexKey(indexKey: string): boolean {
  return indexKey.startsWith(MARK);
}

/** The key as JSON text, for the sessions file. */
export function keyLiteral(indexKey: string): string {
  return isOddIndexKey(indexKey) ? `"${indexKey.slice(MARK.length)}"` : JSON.stringify(indexKey);
}

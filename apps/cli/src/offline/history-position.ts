/**
 * A place in a transcript whose messages nobody has counted, as text that a person can hand back:
 * `@<bytes before it>`, and behind a colon the id of the branch's next older line where one is known.
 */
import type { HistoryPosition } from '@sessions/store';

export type { HistoryPosition } from '@sessions/store';

export function formatPosition({ endOffset, nextId }: HistoryPosition): string {
  return typeof nextId === 'string' ? `@${endOffset}:${encodeURIComponent(nextId)}` : `@${endOffset}`;
}

/** @returns undefined for text that is no position */
export function parsePosition(text: string): HistoryPosition | undefined {
  const match = /^@(\d+)(?::(.+))?$/u.exec(text);
  const endOffset = Number(match?.[1]);
  if (match === null || !Number.isSafeInteger(endOffset)) return undefined;
  try {
    return { endOffset, ...(match[2] !== undefined && { nextId: decodeURIComponent(match[2]) }) };
  } catch {
    return undefined;
  }
}

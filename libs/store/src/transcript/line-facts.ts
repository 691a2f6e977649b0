import { isUtf8 } from 'node:buffer';

/** What counting and paging need to know about one transcript line. */
export interface LineFacts {
  readonly record: Readonly<Record<string, unknown>>;
  readonly kind: 'header' | 'native' | 'simple' | 'other';
  /** Set for message records of either format, tool results included. */
  readonly role: string | undefined;
  /** Undefined for lines without an id (the simple format, version 1). */
  readonly id: string | undefined;
  /** Undefined for lines that name no parent; null for a root. */
  readonly parentId: string | null | undefined;
  /** A line beside the branch: it never becomes the leaf. */
  readonly side: boolean;
  /** Set for a `leaf` line: the id that becomes the leaf. */
  readonly movesLeafTo: string | null | undefined;
}

/**
 * Reads one line, without its newline.
 * @returns undefined when it is malformed: no UTF-8, no JSON, or no object.
 */
export function readLineFacts(content: Buffer): LineFacts | undefined {
  if (!isUtf8(content)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(content.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return factsOf(value as Record<string, unknown>);
}

function factsOf(record: Record<string, unknown>): LineFacts {
  const { type, id, parentId } = record;
  const native = typeof type === 'string';
  const role = native ? (type === 'message' ? roleOf(record['message']) : undefined) : roleOf(record);
  return {
    record,
    kind: native ? (type === 'session' ? 'header' : 'native') : role === undefined ? 'other' : 'simple',
    role,
    id: native && type !== 'session' && typeof id === 'string' ? id : undefined,
    parentId: native && (typeof parentId === 'string' || parentId === null) ? parentId : undefined,
    side: native && record['appendMode'] === 'side',
    movesLeafTo: native && type === 'leaf' ? targetOf(record['targetId']) : undefined,
  };
}

function roleOf(message: unknown): string | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { role }: { role?: unknown } = message;
  return typeof role === 'string' ? role : undefined;
}

function targetOf(targetId: unknown): string | null {
  return typeof targetId === 'string' ? targetId : null;
}

/**
 * The one file tool of the runtime that is there by itself: notes of a day, appended to
 * `memory/YYYY-MM-DD.md` in the agent's workspace. It is offered in the silent turn before a
 * compaction only; nothing is read, replaced or removed with it. Pure.
 */
import { isJsonObject, type JsonObject } from '../json';

export const MEMORY_TOOL_NAME = 'memory_append';
export const MEMORY_DIR = 'memory';
/** UTF-8 bytes of one call; more is refused. */
export const NOTE_BYTES_MAX = 64 * 1024;
/** Bytes of one day's file; what would make it larger is refused. */
export const NOTES_FILE_BYTES_MAX = 1024 * 1024;

/** As a model sees it. */
export const MEMORY_TOOL: { readonly name: string; readonly description: string; readonly parameters: JsonObject } = {
  name: MEMORY_TOOL_NAME,
  description: 'Appends text to the notes of a day in the workspace. What is there stays.',
  parameters: {
    type: 'object',
    properties: {
      path: { type: 'string', pattern: '^memory/[0-9]{4}-[0-9]{2}-[0-9]{2}\\.md$', description: 'The file: memory/YYYY-MM-DD.md.' },
      text: { type: 'string', description: `Markdown, at most ${String(NOTE_BYTES_MAX)} bytes.` },
    },
    required: ['path', 'text'],
    additionalProperties: false,
  },
};

export interface MemoryNote {
  /** `YYYY-MM-DD`. */
  readonly day: string;
  readonly text: string;
}

/** @param bytesOf UTF-8 length of a text. */
export function parseMemoryNote(raw: unknown, bytesOf: (text: string) => number): { readonly ok: true; readonly value: MemoryNote } | { readonly ok: false; readonly problems: readonly string[] } {
  const given = isJsonObject(raw) ? raw : {};
  const { path, text } = given;
  const day = typeof path === 'string' ? /^memory\/(\d{4}-\d{2}-\d{2})\.md$/u.exec(path)?.[1] : undefined;
  const problems = [
    ...(day === undefined || !isDay(day) ? ['path: must be memory/YYYY-MM-DD.md with a day of the calendar'] : []),
    ...(typeof text !== 'string' || text.trim() === '' ? ['text: must be a text that is not empty'] : bytesOf(text) > NOTE_BYTES_MAX ? [`text: has more than ${String(NOTE_BYTES_MAX)} bytes`] : []),
    ...Object.keys(given).flatMap((name) => (name === 'path' || name === 'text' ? [] : [`${name}: is not known`])),
  ];
  return problems.length === 0 ? { ok: true, value: { day: day as string, text: text as string } } : { ok: false, problems };
}

/** A day of the calendar, as `YYYY-MM-DD`. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/u.test(text)) return false;
  const at = Date.parse(`${text}T00:00:00Z`);
  return Number.isFinite(at) && new Date(at).toISOString().startsWith(text);
}

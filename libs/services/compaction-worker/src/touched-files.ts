/** Files that the summarised part read and changed, as its tool calls name them: a compaction's `details`. */
import { isJsonObject, toolCallsOf, type JsonValue, type TranscriptLine } from '@sessions/domain';
import { argumentsOf } from './prompt';

/** Names in each list, the newest ones; and longest name. */
export const FILES_MAX = 30;
const NAME_CHARS_MAX = 100;

const READS = new Set(['read']);
const CHANGES = new Set(['write', 'edit', 'apply_patch']);

export function touchedFiles(lines: readonly TranscriptLine[]): { readonly readFiles: string[]; readonly modifiedFiles: string[] } {
  const read = new Set<string>();
  const modified = new Set<string>();
  for (const { message, type, value } of lines) {
    if (type === 'compaction') noteEarlier(value['details'], { read, modified });
    if (message === undefined) continue;
    for (const { id, name } of toolCallsOf(message)) {
      const list = READS.has(name) ? read : CHANGES.has(name) ? modified : undefined;
      const given = argumentsOf(message, id);
      const file = given['path'] ?? given['file_path'];
      if (list === undefined || typeof file !== 'string' || file.length > NAME_CHARS_MAX) continue;
      // Taken out first: the newest stand last.
      list.delete(file);
      list.add(file);
    }
  }
  return { readFiles: [...read].filter((file) => !modified.has(file)).slice(-FILES_MAX), modifiedFiles: [...modified].slice(-FILES_MAX) };
}

/** What an earlier summary says, which may be all that is left of it. */
function noteEarlier(details: JsonValue | undefined, lists: { readonly read: Set<string>; readonly modified: Set<string> }): void {
  if (!isJsonObject(details)) return;
  for (const [list, names] of [[lists.read, details['readFiles']], [lists.modified, details['modifiedFiles']]] as const) {
    for (const name of Array.isArray(names) ? (names as readonly JsonValue[]) : []) if (typeof name === 'string' && name.length <= NAME_CHARS_MAX) list.add(name);
  }
}

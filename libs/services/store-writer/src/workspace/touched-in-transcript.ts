/** Files that a session's live transcript names, from its newest lines backwards. */
import { isJsonObject, mergeTouchedFiles, touchedFilesOf, touchedFilesOfSummary, type JsonObject, type JsonValue, type TouchedFile } from '@sessions/domain';
import { linesBackwards, type AgentStore } from '@sessions/store';

/** Bytes of a transcript that are looked through, newest first. */
export const SCANNED_BYTES_MAX = 32 * 1024 * 1024;
/** A longer line is passed over: parsing it would hold up everybody else's requests. */
export const SCANNED_LINE_BYTES_MAX = 1024 * 1024;
/** Files of one session that are known; older ones are left out above it. */
export const TOUCHED_FILES_MAX = 500;
/** A line without any of these pieces holds neither a tool call nor a summary of some. */
const HINT = /"tool[_-]?(?:call|use)"|"(?:read|modified)Files"/i;

export interface TouchedInTranscript {
  readonly files: readonly TouchedFile[];
  /** True: something was not looked at. */
  readonly truncated: boolean;
}

/** @param file relative to the sessions directory */
export async function touchedInTranscript(store: AgentStore, file: string): Promise<TouchedInTranscript> {
  const found = await store.files.readTranscript(file, async (source, bytes) => {
    const files = new Map<string, TouchedFile>();
    const floor = Math.max(0, bytes - SCANNED_BYTES_MAX);
    let truncated = floor > 0;
    for await (const batch of linesBackwards(source, bytes)) {
      for (const { content, offset, bytes: length } of batch) {
        if (offset < floor) return { files, truncated };
        if (length > SCANNED_LINE_BYTES_MAX || content === undefined) truncated = true;
        else if (!addFrom(content.toString('utf8'), files)) return { files, truncated: true };
      }
    }
    return { files, truncated };
  });
  return { files: mergeTouchedFiles(found?.files.values() ?? []), truncated: found?.truncated ?? false };
}

/** @returns false when there is no room for another file */
function addFrom(line: string, files: Map<string, TouchedFile>): boolean {
  if (!HINT.test(line)) return true;
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return true;
  }
  const message = isJsonObject(record as JsonValue) ? (record as { message?: JsonValue }).message : undefined;
  // Lines of the simple format are messages themselves.
  const chat = isJsonObject(message) ? message : isJsonObject(record as JsonValue) ? (record as Parameters<typeof touchedFilesOf>[0]) : undefined;
  const summarised = isJsonObject(record as JsonValue) && (record as JsonObject)['type'] === 'compaction' ? touchedFilesOfSummary((record as JsonObject)['details']) : [];
  for (const file of chat === undefined ? summarised : [...summarised, ...touchedFilesOf(chat)]) {
    if (!files.has(file.path) && files.size >= TOUCHED_FILES_MAX) return false;
    if (files.get(file.path)?.kind !== 'modified') files.set(file.path, file);
  }
  return true;
}

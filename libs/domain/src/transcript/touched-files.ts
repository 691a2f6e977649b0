/**
 * Files that a session worked on, as the tool calls in its transcript name them: `read` reads;
 * `write`, `edit` and `apply_patch` modify. What a call came to is not looked at.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';

export type TouchKind = 'read' | 'modified';

export interface TouchedFile {
  /** As the call had it: absolute, or relative to where the session worked. */
  readonly path: string;
  readonly kind: TouchKind;
}

/** Longest path that is kept, UTF-16 units; a longer one names no file. */
export const TOUCHED_PATH_LENGTH_MAX = 4096;

const PATH_MEMBERS = ['path', 'file_path', 'filePath', 'file'] as const;
const PATCHED_FILE = /^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+)$/gm;

/** The files that one chat message's tool calls name, in the order of the calls; one may come twice. */
export function touchedFilesOf(message: JsonObject): readonly TouchedFile[] {
  if (message['role'] !== 'assistant' || !Array.isArray(message['content'])) return [];
  return (message['content'] as readonly JsonValue[]).flatMap((block) => {
    if (!isJsonObject(block) || !isToolCall(block['type'])) return [];
    const name = typeof block['name'] === 'string' ? block['name'].trim().toLowerCase() : '';
    const args = [block['arguments'], block['input'], block['args']].find(isJsonObject);
    return args === undefined ? [] : filesOfCall(name, args);
  });
}

/** The files that a compaction's `details` name: their calls may stand in no transcript that is live. */
export function touchedFilesOfSummary(details: JsonValue | undefined): readonly TouchedFile[] {
  if (!isJsonObject(details)) return [];
  const named = (value: JsonValue | undefined, kind: TouchKind): TouchedFile[] =>
    (Array.isArray(value) ? (value as readonly JsonValue[]) : []).flatMap((path) => (typeof path === 'string' && path !== '' && path.length <= TOUCHED_PATH_LENGTH_MAX ? [{ path, kind }] : []));
  return [...named(details['modifiedFiles'], 'modified'), ...named(details['readFiles'], 'read')];
}

/** Each file once; one that was modified stays so. Modified ones first, then by path. */
export function mergeTouchedFiles(files: Iterable<TouchedFile>): readonly TouchedFile[] {
  const byPath = new Map<string, TouchedFile>();
  for (const file of files) {
    if (file.kind === 'modified' || !byPath.has(file.path)) byPath.set(file.path, file);
  }
  return [...byPath.values()].sort((a, b) => (a.kind === b.kind ? a.path.localeCompare(b.path) : a.kind === 'modified' ? -1 : 1));
}

/** Transcripts of several programs spell the type differently: `toolCall`, `tool_use`, `toolUse`. */
function isToolCall(type: JsonValue | undefined): boolean {
  const plain = typeof type === 'string' ? type.toLowerCase().replace(/[_-]/g, '') : '';
  return plain === 'toolcall' || plain === 'tooluse';
}

function filesOfCall(name: string, args: JsonObject): readonly TouchedFile[] {
  if (name === 'read') return touched('read', pathIn(args));
  if (name === 'write' || name === 'edit') return touched('modified', pathIn(args));
  if (name === 'apply_patch') return touched('modified', ...patchedPaths(args));
  return [];
}

const pathIn = (args: JsonObject): string | undefined => PATH_MEMBERS.map((member) => pathOf(args[member])).find((path) => path !== undefined);

function patchedPaths({ input, changes }: JsonObject): readonly (string | undefined)[] {
  const inText = typeof input === 'string' ? [...input.matchAll(PATCHED_FILE)].map(([, path]) => pathOf(path)) : [];
  const listed = Array.isArray(changes) ? (changes as readonly JsonValue[]) : [];
  const inList = listed.filter(isJsonObject).flatMap((change) => {
    const kind = isJsonObject(change['kind']) ? change['kind'] : {};
    return [pathOf(change['path']), pathOf(kind['move_path']) ?? pathOf(kind['movePath'])];
  });
  return [...inText, ...inList];
}

function pathOf(value: JsonValue | undefined): string | undefined {
  const path = typeof value === 'string' ? value.trim() : '';
  return path === '' || path.length > TOUCHED_PATH_LENGTH_MAX || path.includes('\0') ? undefined : path;
}

const touched = (kind: TouchKind, ...paths: readonly (string | undefined)[]): readonly TouchedFile[] =>
  paths.flatMap((path) => (path === undefined ? [] : [{ path, kind }]));

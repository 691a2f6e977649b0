/** Files that a spawn hands over (tools §6.3): judged whole before anything is written. */
import type { SessionConfig } from '../config/parse-config';
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import { utf8Bytes, type SpawnAttachment } from './tool-arguments';

/** UTF-8 bytes of a file name. */
const NAME_BYTES_MAX = 255;
export const MANIFEST_NAME = '.manifest.json';
/** Inside a workspace. */
export const ATTACHMENTS_DIR = '.openclaw/attachments';
const FORBIDDEN_IN_NAME = /[/\\\p{Cc}]/u;
const RESERVED: ReadonlySet<string> = new Set(['.', '..', MANIFEST_NAME]);

/** Everything that is wrong, each with its place; empty: nothing. */
export function attachmentProblems(files: readonly Pick<SpawnAttachment, 'name' | 'bytes'>[], limits: SessionConfig['tools']['spawnAttachments']): readonly string[] {
  if (files.length === 0) return [];
  if (!limits.enabled) return ['attachments: are switched off (tools.sessions_spawn.attachments.enabled)'];
  const problems: string[] = [];
  if (files.length > limits.maxFiles) problems.push(`attachments: must be at most ${String(limits.maxFiles)} files`);
  const names = new Set<string>();
  for (const [place, { name, bytes }] of files.entries()) {
    const where = `attachments[${String(place)}]`;
    const why = nameProblem(name);
    if (why !== undefined) problems.push(`${where}.name: ${why}`);
    else if (names.has(name)) problems.push(`${where}.name: must not be given twice`);
    names.add(name);
    if (bytes > limits.maxFileBytes) problems.push(`${where}.content: must have at most ${String(limits.maxFileBytes)} bytes`);
  }
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total > limits.maxTotalBytes) problems.push(`attachments: must have at most ${String(limits.maxTotalBytes)} bytes in all`);
  return problems;
}

function nameProblem(name: string): string | undefined {
  const bytes = utf8Bytes(name);
  if (bytes === undefined) return 'must not hold half of a character';
  if (name.trim() === '') return 'must not be empty';
  if (bytes > NAME_BYTES_MAX) return `must have at most ${String(NAME_BYTES_MAX)} bytes`;
  if (FORBIDDEN_IN_NAME.test(name)) return 'must not hold / or \\ or control characters';
  return RESERVED.has(name) ? `must not be ${name}` : undefined;
}

/** Stands in a transcript for the content of a file that a call handed over. */
export const REDACTED_CONTENT = '[redacted: what was handed over is not kept here]';

/** Arguments of a call as transcripts and events have them: without the contents of files. */
export function recordedArguments(tool: string, given: JsonObject): JsonObject {
  const { attachments } = given;
  if (tool !== 'sessions_spawn' || !Array.isArray(attachments)) return given;
  const files = attachments.map((file: JsonValue): JsonValue => {
    if (!isJsonObject(file) || !('content' in file)) return file;
    const { encoding: _, ...rest } = file;
    return { ...rest, content: REDACTED_CONTENT };
  });
  return { ...given, attachments: files };
}

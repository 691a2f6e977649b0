/**
 * Names of the files that belong to one entry, as pure work on strings. Keys never become file
 * names; only session ids do.
 */
import { isSessionId } from '../ids';

const SUFFIX = '.jsonl';
const FILE_NAME_CHARS_MAX = 255;
const UNSAFE_NAME = /[\u0000-\u001f]/;

/** `<sessionId>.jsonl`, or `<sessionId>-topic-<threadId>.jsonl` for a topic. */
export function transcriptFileName(sessionId: string, topicThreadId?: string): string {
  return topicThreadId === undefined ? `${sessionId}${SUFFIX}` : `${sessionId}-topic-${encodeURIComponent(topicThreadId)}${SUFFIX}`;
}

/**
 * The transcript's name inside the sessions directory. A `sessionFile` counts by its last segments
 * when it is relative and stays inside, or absolute and its directory is named `sessions` (the
 * directory itself is checked by whoever opens the file); anything else is ignored.
 * @returns null when neither it nor the session id can name a file.
 */
export function transcriptFileOf(sessionId: string, sessionFile: unknown): string | null {
  const named = typeof sessionFile === 'string' ? safeName(sessionFile) : undefined;
  if (named !== undefined) return named;
  return isSessionId(sessionId) ? transcriptFileName(sessionId) : null;
}

function safeName(sessionFile: string): string | undefined {
  const segments = sessionFile.split('/');
  const name = segments.pop() ?? '';
  if (name === '' || name === '.' || name === '..' || name.startsWith('.') || name.length > FILE_NAME_CHARS_MAX || UNSAFE_NAME.test(name) || name.includes('\\')) return undefined;
  const folders = segments.filter((segment) => segment !== '' && segment !== '.');
  if (folders.includes('..')) return undefined;
  if (!sessionFile.startsWith('/')) return folders.length === 0 ? name : folders.length === 1 && folders[0] === 'transcripts' ? `transcripts/${name}` : undefined;
  const last = folders[folders.length - 1];
  if (last === 'sessions') return name;
  return last === 'transcripts' && folders[folders.length - 2] === 'sessions' ? `transcripts/${name}` : undefined;
}

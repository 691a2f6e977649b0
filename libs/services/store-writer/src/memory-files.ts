/**
 * Notes that an agent keeps of its days: `<workspace>/memory/YYYY-MM-DD.md`, only ever appended to.
 * Nothing on the way below the workspace may be a link: the workspace belongs to an agent. The text is
 * on disk when the call is answered. A call that is made again finds its text at the end of the file.
 */
import { constants } from 'node:fs';
import { lstat, mkdir, open, type FileHandle } from 'node:fs/promises';
import * as path from 'node:path';
import { MEMORY_DIR, NOTES_FILE_BYTES_MAX, NOTE_BYTES_MAX, SessionError, isDay } from '@sessions/domain';

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

export interface AppendedNotes {
  /** Inside the workspace, with `/`. */
  readonly relPath: string;
  /** Of the file now. */
  readonly bytes: number;
}

/**
 * @param workspace absolute. @param day `YYYY-MM-DD`
 * @throws VALIDATION for a day, a size or a place that is none, TOO_LARGE where the file is full
 */
export async function appendNotes(workspace: string, day: string, text: string): Promise<AppendedNotes> {
  if (!isDay(day)) throw new SessionError('VALIDATION', 'notes are of a day of the calendar, YYYY-MM-DD');
  const content = Buffer.from(text.endsWith('\n') ? text : `${text}\n`);
  if (text.trim() === '' || content.length > NOTE_BYTES_MAX + 1) throw new SessionError('VALIDATION', `a note has 1 to ${String(NOTE_BYTES_MAX)} bytes`);
  const directory = path.join(workspace, MEMORY_DIR);
  await mkdir(workspace, { recursive: true, mode: DIRECTORY_MODE });
  await mkdir(directory, { mode: DIRECTORY_MODE }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  if (!(await lstat(directory)).isDirectory()) throw new SessionError('VALIDATION', `${MEMORY_DIR} in the workspace is no directory of its own; nothing is written through it`);
  const relPath = `${MEMORY_DIR}/${day}.md`;
  const file = await openNotes(path.join(directory, `${day}.md`), relPath);
  try {
    const { size } = await file.stat();
    if (await endsWith(file, size, content)) return { relPath, bytes: size };
    const joined = size > 0 && !(await endsWith(file, size, Buffer.from('\n'))) ? Buffer.concat([Buffer.from('\n'), content]) : content;
    if (size + joined.length > NOTES_FILE_BYTES_MAX) throw new SessionError('TOO_LARGE', `${relPath} would have more than ${String(NOTES_FILE_BYTES_MAX)} bytes`);
    await file.appendFile(joined);
    await file.sync();
    if (size === 0) await syncDirectory(directory);
    return { relPath, bytes: size + joined.length };
  } finally {
    await file.close();
  }
}

async function openNotes(place: string, relPath: string): Promise<FileHandle> {
  const refused = (): SessionError => new SessionError('VALIDATION', `${relPath} in the workspace is no file of its own; nothing is written through it`);
  // Without blocking: whatever is there under this name, opening it must not wait.
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(place, flags, FILE_MODE).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ELOOP' || error.code === 'EISDIR' || error.code === 'ENXIO' ? refused() : error;
  });
  const stats = await file.stat();
  if (stats.isFile() && stats.nlink === 1) return file;
  await file.close();
  throw refused();
}

async function endsWith(file: FileHandle, size: number, content: Buffer): Promise<boolean> {
  if (size < content.length) return false;
  const tail = Buffer.alloc(content.length);
  const { bytesRead } = await file.read(tail, 0, content.length, size - content.length);
  return bytesRead === content.length && tail.equals(content);
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

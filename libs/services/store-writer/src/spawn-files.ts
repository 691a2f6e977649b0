/**
 * Files that a spawn hands over, in the workspace of the sub-agent's agent:
 * `<workspace>/.openclaw/attachments/<uuid>/<name>` with a `.manifest.json` beside them.
 *
 * They are written under another name, synced, and get their own when all are there, so a directory with
 * its name is whole. What a process left half-written ends in `.tmp`: the next try replaces it, and where
 * none comes, as after a spawn that was cut off, it is swept. Whole ones that no sub-agent came to own are
 * known by their notes (`spawn-notes.ts`).
 * Nothing on the way may be a link: the workspace belongs to an agent.
 */
import { createHash } from 'node:crypto';
import { lstat, mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { ATTACHMENTS_DIR, MANIFEST_NAME, SessionError, attachmentProblems, isJsonObject, isUuid, type SessionConfig } from '@sessions/domain';

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const DRAFT = '.tmp';
/** A draft to which no file was added for so long is nobody's work any more: files of a spawn are small. */
const DRAFT_LEFT_MS = 30_000;

export interface SpawnFile {
  readonly name: string;
  readonly mimeType: string;
  readonly content: Uint8Array;
}

export interface WrittenSpawnFile {
  readonly name: string;
  readonly bytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

export interface SpawnDirectory {
  /** Absolute. */
  readonly workspace: string;
  /** UUID. */
  readonly id: string;
}

/** Inside the workspace, with `/`. */
export const relativeDirectory = (id: string): string => `${ATTACHMENTS_DIR}/${id}`;

/** The UUID that the files of a spawn are named by, from an entry's receipt. */
export function filesIdOf(attachments: unknown): string | undefined {
  const relDir = isJsonObject(attachments as never) ? (attachments as { readonly relDir?: unknown }).relDir : undefined;
  return typeof relDir === 'string' ? relDir.split('/').at(-1)?.toLowerCase() : undefined;
}

/** @throws VALIDATION for files that may not be written */
export function assertSpawnFiles({ id }: SpawnDirectory, files: readonly SpawnFile[], limits: SessionConfig['tools']['spawnAttachments']): void {
  assertId(id);
  const problems = attachmentProblems(files.map(({ name, content }) => ({ name, bytes: content.length })), limits);
  if (problems.length > 0 || files.length === 0) throw new SessionError('VALIDATION', problems.join('; ') || 'a spawn hands over at least one file');
}

/**
 * All of the files or none. Written again, the same files are found; other ones are refused.
 * @throws VALIDATION, IDEMPOTENCY_MISMATCH
 */
export async function writeSpawnFiles(directory: SpawnDirectory, files: readonly SpawnFile[], limits: SessionConfig['tools']['spawnAttachments']): Promise<readonly WrittenSpawnFile[]> {
  const { workspace, id } = directory;
  assertSpawnFiles(directory, files, limits);
  const written = receiptOf(files);
  const manifest = JSON.stringify({ files: written.map((file, place) => ({ ...file, mimeType: files[place]?.mimeType })) }, undefined, 2);
  const target = await containedDirectory(workspace, id);
  const present = await readFile(path.join(target, MANIFEST_NAME), 'utf8').catch(() => undefined);
  if (present !== undefined) {
    if (present === manifest) return written;
    throw new SessionError('IDEMPOTENCY_MISMATCH', 'the attachments were written before with other files');
  }
  const draft = `${target}${DRAFT}`;
  try {
    await rm(draft, { recursive: true, force: true });
    await mkdir(draft, { mode: DIRECTORY_MODE });
    for (const { name, content } of files) await writeSynced(path.join(draft, name), content);
    await writeSynced(path.join(draft, MANIFEST_NAME), Buffer.from(manifest));
    await syncDirectory(draft);
    await rename(draft, target);
    await syncDirectory(path.dirname(target));
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
  return written;
}

/** What files come to when they are written. */
export function receiptOf(files: readonly SpawnFile[]): readonly WrittenSpawnFile[] {
  return files.map(({ name, content }) => ({ name, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }));
}

/** What stands there; undefined: nothing. Nothing is made, and no link is followed. */
export async function measureSpawnFiles({ workspace, id }: SpawnDirectory): Promise<{ readonly files: number; readonly bytes: number } | undefined> {
  assertId(id);
  let at = workspace;
  for (const part of [...ATTACHMENTS_DIR.split('/'), id.toLowerCase()]) {
    at = path.join(at, part);
    if ((await lstat(at).catch(() => undefined))?.isDirectory() !== true) return undefined;
  }
  const sizes = await Promise.all((await readdir(at)).map(async (name) => (await lstat(path.join(at, name))).size));
  return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** @returns false when there were none */
export async function dropSpawnFiles({ workspace, id }: SpawnDirectory): Promise<boolean> {
  assertId(id);
  const target = await containedDirectory(workspace, id);
  const isThere = (await lstat(target).catch(() => undefined))?.isDirectory() === true;
  await rm(target, { recursive: true, force: true });
  return isThere;
}

/** Removes what interrupted spawns left half-written in this workspace. @param nowMs wall clock, as the file system has it */
export async function sweepSpawnDrafts(workspace: string, nowMs: number): Promise<void> {
  let directory = workspace;
  for (const part of ATTACHMENTS_DIR.split('/')) {
    directory = path.join(directory, part);
    if ((await lstat(directory).catch(() => undefined))?.isDirectory() !== true) return;
  }
  for (const name of await readdir(directory)) {
    if (!name.endsWith(DRAFT) || !isUuid(name.slice(0, -DRAFT.length))) continue;
    const draft = path.join(directory, name);
    const found = await lstat(draft).catch(() => undefined);
    if (found !== undefined && nowMs - found.mtimeMs >= DRAFT_LEFT_MS) await rm(draft, { recursive: true, force: true });
  }
}

function assertId(id: string): void {
  if (!isUuid(id)) throw new SessionError('VALIDATION', 'attachments are named by a UUID');
}

/** @throws VALIDATION where a part of the way is there and is no directory of its own */
async function containedDirectory(workspace: string, id: string): Promise<string> {
  let at = workspace;
  await mkdir(at, { recursive: true, mode: DIRECTORY_MODE });
  for (const part of ATTACHMENTS_DIR.split('/')) {
    at = path.join(at, part);
    await mkdir(at, { mode: DIRECTORY_MODE }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    if (!(await lstat(at)).isDirectory()) throw new SessionError('VALIDATION', `${part} in the workspace is no directory of its own; nothing is written through it`);
  }
  return path.join(at, id.toLowerCase());
}

async function writeSynced(file: string, content: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx', FILE_MODE);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

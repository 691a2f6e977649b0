/**
 * A new directory inside a root, and nowhere else: no absolute name, no `~`, no `..`, and no link on
 * the way. It is filled under another name and gets its own when it is complete.
 */
import { SessionError } from '@sessions/domain';
import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { draftName, sweepDrafts } from '../portable/export-drafts';

export interface ContainedOutput {
  readonly path: string;
  /** Where the files are written until `finish`. */
  readonly draft: string;
  finish(): void;
  /** Removes what was written. */
  abandon(): void;
}

const refused = (message: string, given: string): SessionError => new SessionError('VALIDATION', message, { facts: { option: '--output', given: given.slice(0, 200) } });

/** A relative name that stays where it is put. */
export function isContainedName(name: string): boolean {
  return name !== '' && !name.includes('\\') && !name.includes('\0') && !name.startsWith('~') && name.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}

export interface OutputOptions {
  /** Tells drafts of one name apart; what an earlier one with the same tag left is removed. Absent: a new one. */
  readonly draftTag?: string | undefined;
  /** The workspace is made where it is missing. */
  readonly makesWorkspace?: boolean | undefined;
}

/**
 * @param workspace absolute; must be a directory
 * @param folders below it, made where missing
 * @param name relative, may hold `/`
 * @throws VALIDATION with nothing written
 */
export function openContainedOutput(workspace: string, folders: readonly string[], name: string, { draftTag, makesWorkspace = false }: OutputOptions = {}): ContainedOutput {
  const segments = name.split('/');
  if (!isContainedName(name)) throw refused('--output must be a relative name inside the export directory.', name);
  const root = lstatSync(workspace, { throwIfNoEntry: false });
  if (root === undefined ? !makesWorkspace : !root.isDirectory()) throw new SessionError('VALIDATION', `The workspace ${workspace} is no directory.`, { facts: { option: '--workspace' } });
  const parents = [...folders, ...segments.slice(0, -1)];
  const made = [...folders, ...segments];
  const path = join(workspace, ...made);
  let at = workspace;
  for (const parent of parents) {
    at = join(at, parent);
    const found = lstatSync(at, { throwIfNoEntry: false });
    if (found !== undefined && !found.isDirectory()) throw refused(`${at} is no directory of its own; nothing is exported through it.`, name);
  }
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) throw refused(`${path} exists already; nothing is overwritten.`, name);
  const draft = join(dirname(path), draftName(segments.at(-1) ?? '', draftTag));
  at = workspace;
  mkdirSync(workspace, { recursive: true, mode: 0o700 });
  for (const parent of parents) {
    at = join(at, parent);
    if (lstatSync(at, { throwIfNoEntry: false }) === undefined) mkdirSync(at, { mode: 0o700 });
  }
  sweepDrafts(dirname(path), Date.now());
  if (draftTag !== undefined) rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  return { path, draft, finish: () => put(draft, path), abandon: () => rmSync(draft, { recursive: true, force: true }) };
}

/** Nothing has the name before all of it is on disk. */
function put(draft: string, path: string): void {
  for (const name of readdirSync(draft)) synced(join(draft, name));
  synced(draft);
  renameSync(draft, path);
  synced(dirname(path));
}

function synced(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Which directory belongs to a session, and where in it a file lies that its tool calls named. Pure. */
import * as path from 'node:path';

export interface SessionWorkspace {
  /** Absolute. */
  readonly root: string;
  /** What relative paths of tool calls are relative to: the root, or a directory in it. */
  readonly base: string;
}

/**
 * @param entry members of the session's entry
 * @param configured the agent's configured workspace, absolute; undefined: it has none
 * @returns undefined when no directory is the session's own: a home directory is nobody's workspace
 */
export function sessionWorkspace(entry: { readonly spawnedWorkspaceDir?: unknown; readonly spawnedCwd?: unknown }, configured: string | undefined): SessionWorkspace | undefined {
  const cwd = absolute(entry.spawnedCwd);
  const root = absolute(entry.spawnedWorkspaceDir) ?? cwd ?? configured;
  if (root === undefined) return undefined;
  return { root, base: cwd !== undefined && placeInside(root, cwd) !== undefined ? cwd : root };
}

/** Place of a path below the root, with `/`, empty for the root; undefined: it leads out of it. */
export function placeInWorkspace({ root, base }: SessionWorkspace, file: string): string | undefined {
  return placeInside(root, path.resolve(base, file));
}

/** Place of a directory that a client asks for: relative to the root, whatever slashes it has. */
export function placeAsked(workspace: SessionWorkspace, asked: string): string | undefined {
  const plain = asked.replaceAll('\\', '/').split('/').filter((part) => part !== '' && part !== '.').join('/');
  return placeInWorkspace({ ...workspace, base: workspace.root }, plain);
}

function placeInside(root: string, place: string): string | undefined {
  const relative = path.relative(root, place);
  if (relative === '..' || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative) || relative.includes('\0')) return undefined;
  return relative.split(path.sep).join('/');
}

function absolute(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.trim() : '';
  return path.isAbsolute(text) ? path.resolve(text) : undefined;
}

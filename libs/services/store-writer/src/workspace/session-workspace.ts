/**
 * Which directory belongs to a session, and where in it a file lies that its tool calls named. Pure.
 * A session works in its agent's workspace or in a directory of it: what an entry says beyond that is
 * not looked into, whoever wrote it.
 */
import * as path from 'node:path';
import { SessionError, type JsonValue } from '@sessions/domain';

export interface SessionWorkspace {
  /** The agent's workspace, absolute. */
  readonly agentRoot: string;
  /** The session's: the agent's, or below it. Absolute. */
  readonly root: string;
  /** What relative paths of tool calls are relative to: the root, or a directory in it. */
  readonly base: string;
}

/**
 * @param entry members of the session's entry
 * @param agentRoot the agent's workspace, absolute
 * @returns undefined when the session's directory is none of its agent's
 */
export function sessionWorkspace(entry: { readonly spawnedWorkspaceDir?: unknown; readonly spawnedCwd?: unknown }, agentRoot: string): SessionWorkspace | undefined {
  const cwd = absolute(entry.spawnedCwd);
  const root = absolute(entry.spawnedWorkspaceDir) ?? cwd ?? agentRoot;
  if (placeInside(agentRoot, root) === undefined) return undefined;
  return { agentRoot, root, base: cwd !== undefined && placeInside(root, cwd) !== undefined ? cwd : root };
}

/** Members of an entry that name directories. */
const PLACES: readonly string[] = ['spawnedWorkspaceDir', 'spawnedCwd'];

/**
 * What a patch may point an entry at. Links are looked at where a file is read.
 * @throws VALIDATION for a directory that is not the agent's workspace, or below it
 */
export function assertOwnPlaces(patch: Readonly<Record<string, JsonValue>>, agentRoot: string): void {
  for (const name of PLACES) {
    const value = patch[name];
    if (typeof value !== 'string' || value.trim() === '') continue;
    const place = absolute(value);
    if (place !== undefined && placeInside(agentRoot, place) !== undefined) continue;
    throw new SessionError('VALIDATION', `invalid ${name} (use an absolute path inside the workspace of the session's agent)`, {
      facts: { field: name },
      hint: 'agents.list[].workspace of the configuration names the workspace',
    });
  }
}

/** Of the session's directory in its agent's, with `/`; empty: it is the same. */
export const placeOfRoot = ({ agentRoot, root }: SessionWorkspace): string => placeInside(agentRoot, root) ?? '';

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

/**
 * Finds the stores that stand on disk below an `agents` directory, configured or not. Opens nothing
 * and follows no link: a store reached by one is skipped and named, as is anything that is no store.
 */
import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import * as path from 'node:path';
import { isAgentId, type AgentId } from '@sessions/domain';
import { errorCodeOf } from './error-code';

/** Where an agent's sessions file stands below its own directory, unless the configuration moves it. */
export const DEFAULT_SESSIONS_PATH = path.join('sessions', 'sessions.json');

export interface DiscoveredStore {
  readonly agentId: AgentId;
  /** Absolute. It may be missing when only this engine's own directory is there: such a store is rebuilt. */
  readonly sessionsFile: string;
}

export interface SkippedStore {
  readonly path: string;
  /** A clause for a report: why this place is not served. */
  readonly reason: string;
}

export interface Discovery {
  /** In order of agent id. */
  readonly stores: readonly DiscoveredStore[];
  readonly skipped: readonly SkippedStore[];
}

/**
 * @param agentsDir absolute; a missing one holds no stores.
 * @param sessionsPath of the sessions file relative to an agent's directory.
 */
export async function discoverStores(agentsDir: string, sessionsPath: string = DEFAULT_SESSIONS_PATH): Promise<Discovery> {
  const stores: DiscoveredStore[] = [];
  const skipped: SkippedStore[] = [];
  for (const name of await namesIn(agentsDir)) {
    const found = await lookAt(agentsDir, name, sessionsPath);
    if (!found) continue;
    if ('reason' in found) skipped.push(found);
    else stores.push(found);
  }
  return { stores, skipped };
}

async function namesIn(agentsDir: string): Promise<string[]> {
  try {
    return (await readdir(agentsDir)).sort();
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** @returns undefined for an agent that has no store. */
async function lookAt(agentsDir: string, name: string, sessionsPath: string): Promise<DiscoveredStore | SkippedStore | undefined> {
  let place = path.join(agentsDir, name);
  const agent = await lstatOrUndefined(place);
  if (agent && !agent.isSymbolicLink() && !agent.isDirectory()) return undefined;
  const sessionsFile = path.join(place, sessionsPath);
  const parts = path.relative(place, path.dirname(sessionsFile)).split(path.sep).filter(Boolean);
  for (const part of ['', ...parts]) {
    place = path.join(place, part);
    const stats = await lstatOrUndefined(place);
    if (!stats) return undefined;
    if (stats.isSymbolicLink()) return { path: place, reason: 'is a symbolic link' };
    if (!stats.isDirectory()) return { path: place, reason: 'is not a directory' };
  }
  const file = await lstatOrUndefined(sessionsFile);
  if (file?.isSymbolicLink()) return { path: sessionsFile, reason: 'is a symbolic link' };
  if (file && !file.isFile()) return { path: sessionsFile, reason: 'is not a regular file' };
  if (!file && !(await lstatOrUndefined(path.join(place, '.store')))?.isDirectory()) return undefined;
  if (!isAgentId(name)) return { path: path.join(agentsDir, name), reason: 'its name is not an agent id' };
  return { agentId: name, sessionsFile };
}

async function lstatOrUndefined(file: string): Promise<Stats | undefined> {
  try {
    return await lstat(file);
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

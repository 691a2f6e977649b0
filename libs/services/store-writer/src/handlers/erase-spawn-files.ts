/**
 * Files of spawns that the sessions of an erasure were given: in the workspace, outside of the store, so
 * the store's own erasure does not see them. They go first: while they stand, the entries that name
 * them do too, and an erasure that broke off finds them again.
 */
import { isUuid } from '@sessions/domain';
import { readSession } from '../decisions/session-of-key';
import type { OwnedAgent } from '../owned-agent';
import { dropSpawnFiles, filesIdOf, measureSpawnFiles, sweepSpawnDrafts, type SpawnDirectory } from '../spawn-files';
import { sweepUnclaimed } from '../sweep-spawns';
import { sessionEntry } from './stored-session';
import { workspaceOf } from '../workspace/agent-workspace';
import { directoryOf } from './write-attachments';

/** As in the report's other places. */
export interface SpawnFilesPlace {
  readonly place: 'attachments';
  readonly files: number;
  readonly bytes: number;
  readonly records: 0;
}

/** @returns undefined when the sessions have none */
export async function eraseSpawnFiles(agent: OwnedAgent, keys: readonly string[], dryRun: boolean): Promise<SpawnFilesPlace | undefined> {
  let [files, bytes] = [0, 0];
  // Nothing says whose a half-written one was to be.
  if (!dryRun) await sweepSpawnDrafts(workspaceOf(agent), Date.now());
  if (!dryRun) await agent.use((open) => sweepUnclaimed(open, workspaceOf(agent), agent.deps.clock.nowMs()));
  for (const directory of await directoriesOf(agent, keys)) {
    const found = await measureSpawnFiles(directory);
    if (found === undefined) continue;
    files += found.files;
    bytes += found.bytes;
    if (!dryRun) await dropSpawnFiles(directory);
  }
  return files === 0 ? undefined : { place: 'attachments', files, bytes, records: 0 };
}

function directoriesOf(agent: OwnedAgent, keys: readonly string[]): Promise<SpawnDirectory[]> {
  return agent.use(async ({ store }) => {
    const directories: SpawnDirectory[] = [];
    for (const key of keys) {
      const entry = await sessionEntry(store, { key });
      const id = entry === undefined ? undefined : filesIdOf(readSession(entry).native['attachments']);
      if (id !== undefined && isUuid(id)) directories.push(directoryOf(agent, id));
    }
    return directories;
  });
}

/** The sessions that a session has spawned in this store, those that they have spawned too. */
import { SessionRow } from '@sessions/contracts';
import type { OpenAgentStore } from '../owned-agent';

/** Children that are looked at. */
const CHILDREN_MAX = 500;
const CHILDREN_OF_ONE_MAX = 200;

/** @param key also of another agent: its children here are found by it. */
export async function childrenOf({ store }: OpenAgentStore, key: string): Promise<readonly string[]> {
  const found = new Set<string>();
  const parents = [key];
  for (let parent = parents.shift(); parent !== undefined && found.size < CHILDREN_MAX; parent = parents.shift()) {
    const { encodedRows } = await store.list({ spawnedBy: parent, limit: CHILDREN_OF_ONE_MAX });
    for (const encoded of encodedRows) {
      const row = SessionRow.decode(encoded);
      if (row.spawnedBy !== parent || row.key === key || found.has(row.key)) continue;
      found.add(row.key);
      parents.push(row.key);
    }
  }
  return [...found];
}

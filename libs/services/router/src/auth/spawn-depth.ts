/** How far a session is from the one that nobody spawned: 0 for that one. */
import type { SessionRow } from '@sessions/contracts';
import { parseSessionKey } from '@sessions/domain';

export interface SpawnedCaller {
  readonly key: string;
  readonly row: Pick<SessionRow, 'spawnDepth'> | undefined;
}

/** As its row says, else as its key does. */
export function depthOf({ caller }: { readonly caller: SpawnedCaller }): number {
  const stored = caller.row?.spawnDepth;
  if (stored !== undefined && stored > 0) return stored;
  const parsed = parseSessionKey(caller.key);
  return parsed.form === 'subagent' ? parsed.ids.length : 0;
}

/** Ids of the records of a session's active branch, root first; nothing else of them is kept. */
import { readLineFacts, type AgentStore, type ByteSource, type StoredEntry } from '@sessions/store';
import { branchOf } from './read-branch';
import { textOf } from './transcript-lines';

export interface BranchIds {
  readonly ids: readonly (string | undefined)[];
  readonly tipId: string | null;
}

/** Undefined: the session has no transcript. */
export async function branchIds(store: AgentStore, entry: Pick<StoredEntry, 'file' | 'tail'>): Promise<BranchIds | undefined> {
  const branch = await branchOf(store, entry, undefined);
  if (branch === undefined) return undefined;
  return store.files.readTranscript(entry.file ?? '', async (source: ByteSource) => {
    const ids: (string | undefined)[] = [];
    for (const line of branch.lines) ids.push(readLineFacts(Buffer.from(await textOf(source, line)))?.id);
    return { ids, tipId: branch.tipId };
  });
}

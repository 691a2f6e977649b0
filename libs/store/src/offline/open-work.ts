/**
 * Whether a store that nobody has opened may hold work that has not ended, told without opening it:
 * what its owner last wrote into the index. Makes no file and changes none.
 */
import * as fs from 'node:fs';
import { storeLayout } from '../files/layout';
import { isClosedInOrder, openIndexIfReadable, type ReaderOptions } from './store-reader';

/** True also where only an opening can tell: its last owner was not closed in order, or lives. */
export function mayHoldOpenWork({ agentId, sessionsFile, nativeBinding }: Pick<ReaderOptions, 'agentId' | 'sessionsFile' | 'nativeBinding'>): boolean {
  const layout = storeLayout(agentId, sessionsFile);
  // Nothing of ours was ever done there.
  if (!fs.existsSync(layout.ownerFile)) return false;
  const index = openIndexIfReadable(layout, nativeBinding);
  if (index === undefined) return true;
  try {
    return !isClosedInOrder(index) || index.openWork(Number.MIN_SAFE_INTEGER, 1).length > 0;
  } finally {
    index.close();
  }
}

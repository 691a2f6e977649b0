/** The cheapest reader that a store allows. */
import { FilesStore } from './files-store';
import type { OfflineStore } from './offline-store';
import type { StoreChoice } from './select-stores';

/** Opens nothing yet: a store is read when it is asked. */
export function openOfflineStore(choice: StoreChoice): OfflineStore {
  return new FilesStore(choice);
}

/** The door of the store-writer: the service that owns the stores of agents. */
export { createStoreWriter } from './store-writer';
export type { StoreWriterDeps } from './store-writer';
export { IDLE_CLOSE_MS, OPEN_STORES_MAX } from './open-stores';
export { sessionsFileOf, storesOnDisk } from './store-places';
export type { KnownStore } from './store-places';
export { factsOf } from './handlers/read-facts';
export type { FactsHead } from './handlers/read-facts';
export type { FactSource } from './maintenance/gather-facts';

/** For tests that need a store to route to, without files. */
export { serveMemoryStores } from './testing/memory-store';
export type { MemoryStores } from './testing/memory-store';

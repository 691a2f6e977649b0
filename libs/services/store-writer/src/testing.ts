/** For spec files: a view of a store that is held in memory. */
export { MemoryStore } from './testing/memory-store';

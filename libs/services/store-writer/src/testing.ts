/** For spec files of others: a store in memory for decisions, and the service on a temporary directory. */
export { MemoryStore } from './testing/memory-store';
export { bench, cleanUpBenches, newStateDir, restart, telegram } from './testing/writer-bench';
export type { Bench } from './testing/writer-bench';

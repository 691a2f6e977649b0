/** The door of the compaction-worker. */
export { createCompactionWorker } from './compaction-worker';
export type { CompactionWorker, CompactionWorkerDeps } from './compaction-worker';

/** The door of the compaction-worker. */
export { HANDLER_MISSING, createCompactionWorker } from './compaction-worker';
export type { CompactionWorker, CompactionWorkerDeps } from './compaction-worker';

/** Second door of the store library, for spec files, end-to-end tests and benchmarks only. */
export { GENERATED_NOW_MS, LARGE_ENTRY_BYTES, SMALL_ENTRY_BYTES, generateStore } from './testing/store-generator';
export type { GenerateStoreOptions, GeneratedStore } from './testing/store-generator';
export { generateEntry, indented } from './testing/generated-entry';
export type { EntryRecipe, GeneratedEntry } from './testing/generated-entry';
export { generateTranscriptLines } from './testing/generated-transcript';
export type { TranscriptRecipe } from './testing/generated-transcript';
export { SeededRandom } from './testing/seeded-random';
/** The port to disk, for those who put a slow or faulty one around it. */
export { nodeFileSystem } from './files/file-system';
export type { FileSystem } from './files/file-system';
export { PrivateBuild } from './testing/crash/private-build';
export type { Plant } from './testing/crash/private-build';
export { checkClosedStore, checkStore } from './testing/crash/check-history';
export type { CheckOptions } from './testing/crash/check-history';
export type { CrashWriterConfig } from './testing/crash/crash-writer';
export { LoopDisk, whyNoLoopDisk } from './testing/crash/loop-disk';
export { WorkPlace, listed, sayWhyNot } from './testing/crash/work-place';
export { WriterProcess, runTraced, whyNoTracing } from './testing/crash/writer-process';

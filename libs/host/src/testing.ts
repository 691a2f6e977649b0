/** For the tests of others: time that a test moves, and a logger that remembers. */
export { createManualClock } from './manual-clock';
export type { ManualClock } from './manual-clock';
export { createRecordingLogger } from './recording-logger';
export type { RecordedLine, RecordingLogger } from './recording-logger';

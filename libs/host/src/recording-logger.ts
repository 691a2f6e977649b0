/** A logger that keeps its lines, printed as they would be, for tests to read. */
import { type Logger, createLogger } from './logger';

export interface RecordedLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface RecordingLogger extends Logger {
  /** All lines so far, oldest first. */
  readonly lines: readonly RecordedLine[];
}

export function createRecordingLogger(service = 'test'): RecordingLogger {
  const lines: RecordedLine[] = [];
  const logger = createLogger({
    service,
    level: 'debug',
    keySalt: 'test',
    write: (line) => void lines.push(JSON.parse(line) as RecordedLine),
  });
  return { ...logger, lines };
}

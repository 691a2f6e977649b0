/** How an error of the index's thread is told to who called it. SQLite's own words name no file. */
import * as path from 'node:path';
import { SessionError } from '@sessions/domain';
import { errorCodeOf } from '../files/error-code';
import type { WorkerReply } from './worker-protocol';

/** @param indexFile undefined before an index was opened */
export function describeWorkerError(error: unknown, indexFile: string | undefined): NonNullable<WorkerReply['error']> {
  if (error instanceof SessionError) {
    const { reason, message, hint, facts } = error;
    return { reason, message, facts: { ...facts }, ...(hint === undefined ? {} : { hint }) };
  }
  const code = errorCodeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const facts = { code: code ?? null, ...(indexFile === undefined ? {} : { path: indexFile }) };
  if (code === 'ENOSPC' || code === 'SQLITE_FULL') return { reason: 'DISK_FULL', message: told(indexFile, message), facts, hint: `free some room${indexFile === undefined ? '' : ` on the disk of ${path.dirname(indexFile)}`}` };
  if (code === 'EROFS' || code === 'SQLITE_READONLY') return { reason: 'READ_ONLY', message: told(indexFile, message), facts };
  return { reason: 'INTERNAL', message, facts };
}

function told(indexFile: string | undefined, message: string): string {
  return indexFile === undefined ? message : `the session index ${indexFile} cannot be written: ${message}`;
}

/** Messages of sessions that nobody has counted yet, for a listing that shows them. */
import { readTranscript } from './transcript-file';
import type { Transcript } from './transcript-file';
import type { SessionRow } from '@sessions/contracts';
import { activeBranch, transcriptFileOf } from '@sessions/domain';
import { statSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes of transcripts that one listing reads to count messages; rows beyond have no count. */
export const COUNT_BYTES_MAX = 16 * 1024 * 1024;

const COUNTED_ROLES: ReadonlySet<string> = new Set(['user', 'assistant']);

function countOf(transcript: Transcript): number {
  return activeBranch(transcript.lines).path.filter(({ role }) => role !== undefined && COUNTED_ROLES.has(role)).length;
}

/** @param directory of the store */
export function withCounts(rows: readonly SessionRow[], directory: string): SessionRow[] {
  let budgetBytes = COUNT_BYTES_MAX;
  const count = (file: string | null): number | undefined => {
    const found = file === null ? undefined : statSync(join(directory, file), { throwIfNoEntry: false });
    if (file === null || found?.isFile() !== true) return 0;
    if (found.size > budgetBytes) return undefined;
    budgetBytes -= found.size;
    const transcript = readTranscript(directory, file);
    return transcript === undefined ? undefined : countOf(transcript);
  };
  return rows.map((row) => (row.messageCount === undefined ? { ...row, messageCount: count(row.sessionId === undefined ? null : transcriptFileOf(row.sessionId, row.sessionFile)) } : row));
}

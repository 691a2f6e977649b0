/** Rows without a conversation behind them (maintenance §8): asked for by `--fix-missing` only. */
import type { ParsedLine } from '../transcript/parse-line';
import { rowAction, type ActionReason, type MaintenanceAction } from './actions';
import type { FactRow, TranscriptState } from './facts';
import { isFreeToFix } from './protection';

/** Lines that stand for messages: of a transcript that goes on after a compaction one may be all there is. */
const SUMMARIES: ReadonlySet<string> = new Set(['compaction', 'branch_summary']);

/** A larger file is never judged empty: it holds something, even if we cannot read it. */
export const EMPTY_TRANSCRIPT_BYTES_MAX = 4_096;

export interface TranscriptFacts {
  /** `error`: reading failed otherwise than by not finding it. */
  readonly found: 'at-session-file' | 'at-canonical-name' | 'nowhere' | 'error';
  readonly sizeBytes: number;
  /** Lines of a file of at most `EMPTY_TRANSCRIPT_BYTES_MAX`; undefined: not read. */
  readonly lines?: readonly ParsedLine[];
  /** The last line has its line feed. */
  readonly endsClean?: boolean;
}

/** What a transcript is, towards keeping: only a small file of valid lines without a message or a summary is empty. */
export function judgeTranscript(facts: TranscriptFacts): TranscriptState {
  if (facts.found === 'nowhere') return 'missing';
  if (facts.found === 'error') return 'unreadable';
  const isHeaderOnly = judgeContent(facts);
  if (isHeaderOnly !== 'present') return isHeaderOnly;
  return facts.found === 'at-canonical-name' ? 'misplaced' : 'present';
}

function judgeContent({ sizeBytes, lines, endsClean }: TranscriptFacts): 'present' | 'header-only' | 'unreadable' {
  if (sizeBytes === 0) return 'header-only';
  if (lines?.some((line) => line.ok && (line.message !== undefined || SUMMARIES.has(line.type))) === true) return 'present';
  if (sizeBytes > EMPTY_TRANSCRIPT_BYTES_MAX || lines === undefined) return lines === undefined ? 'present' : 'unreadable';
  const isWhole = endsClean !== false && lines.every((line) => line.ok || line.why === 'blank');
  return isWhole ? 'header-only' : 'unreadable';
}

/** Rows to remove. Those that only name their file wrongly are repaired instead. */
export function planMissing(rows: readonly FactRow[]): readonly MaintenanceAction[] {
  return rows.flatMap((row) => {
    const reason = missingReason(row);
    return reason === undefined || !isFreeToFix(row) ? [] : [rowAction('prune-missing', reason, row)];
  });
}

function missingReason(row: FactRow): ActionReason | undefined {
  if (row.sessionId === undefined || row.sessionId === '') return 'no-session-id';
  if (row.transcriptState === 'missing') return 'transcript-missing';
  return row.transcriptState === 'header-only' ? 'transcript-empty' : undefined;
}

/** Rows whose transcript stands at its canonical name while `sessionFile` points nowhere. */
export function planRepairs(rows: readonly FactRow[]): readonly MaintenanceAction[] {
  return rows.filter((row) => row.transcriptState === 'misplaced' && row.foundFile !== undefined && isFreeToFix(row)).map((row) => rowAction('repair-session-file', 'file-name-wrong', row));
}

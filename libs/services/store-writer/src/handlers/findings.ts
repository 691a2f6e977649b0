/** What the engine finds, counts and does about it, as it travels. */
import { createHash } from 'node:crypto';
import { Finding, RepairDeed, VerifyTotals } from '@sessions/contracts';
import { FINDING_RULES, type Finding as StoreFinding, type RepairAction, type StoreReport } from '@sessions/store';

const ID_LENGTH = 16;

/** The id names the same finding in every later look at the store. */
export function toFinding({ kind, file, key, detail, repair }: StoreFinding): Finding {
  const findingId = createHash('sha256').update(JSON.stringify([kind, file ?? '', key ?? ''])).digest('hex').slice(0, ID_LENGTH);
  return Finding.create({ kind, path: file, key, repair, detail, findingId, wrong: FINDING_RULES[kind].wrong });
}

/** Where a store stood when it was looked at. */
export interface Standing {
  readonly epoch: number;
  readonly storeSeq: number;
}

export function toTotals({ path, ok, findings, totals }: StoreReport, { epoch, storeSeq }: Standing): VerifyTotals {
  const { entries, transcripts, lines, messages, malformedLines, archives, archiveBytes, orphans, sessionsFileBytes, transcriptBytes, findingsOmitted } = totals;
  return VerifyTotals.create({
    epoch,
    storeSeq,
    path,
    ok,
    entries,
    transcripts,
    lines,
    bytes: transcriptBytes,
    findings: findings.length + findingsOmitted,
    sessionsFileBytes,
    messages,
    malformedLines,
    archives,
    archiveBytes,
    orphans,
    findingsOmitted,
  });
}

export const toDeed = (action: RepairAction): RepairDeed =>
  RepairDeed.create({ deed: action.do, ...('file' in action && { file: action.file }), ...('key' in action && { key: action.key }) });

/**
 * What a decision sees: every entry and transcript end as they are once everything handed to the
 * journal so far is applied. Synchronous; a transcript whose end is not known yet is asked for by name.
 */
import { SessionError, parseEntry, transcriptFileOf } from '@sessions/domain';
import { TranscriptNotReady } from './decide';
import type { PendingEntries } from './pending-entries';
import type { PendingUsage } from './pending-usage';
import type { IndexReader } from './session-index/index-reader';
import type { TranscriptFiles } from './transcript/transcript-files';
import { USAGE_LINES_OF_RUN_MAX, type EntrySnapshot, type HeldView, type MutationView } from './types';

export interface ViewParts {
  readonly pending: PendingEntries;
  readonly pendingUsage: PendingUsage;
  readonly reader: IndexReader;
  readonly transcripts: TranscriptFiles;
  readonly nowMs: () => number;
}

/** @param held files of the work that decides: their ends are known, and wait for nobody. */
export function mutationView({ pending, pendingUsage, reader, transcripts, nowMs }: ViewParts, held: HeldView | undefined): MutationView {
  const entry = (key: string): EntrySnapshot | undefined => {
    const known = pending.get(key);
    if (known !== undefined) return known.text === undefined ? undefined : { key, text: known.text };
    const text = reader.text(key);
    if (text === undefined) return undefined;
    pending.remember(key, text);
    return { key, text };
  };
  const keyWhere = (member: string, value: string, indexed: { key: string } | undefined): string | undefined => {
    const recent = pending.keyWhere(member, value);
    if (recent !== undefined) return recent;
    return indexed === undefined || pending.isPending(indexed.key) ? undefined : indexed.key;
  };
  return {
    nowMs: nowMs(),
    entry,
    firstExisting: (keys) => {
      for (const key of keys) {
        const found = entry(key);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    keyOfSession: (sessionId) => keyWhere('sessionId', sessionId, reader.entryOfSession(sessionId)),
    isFileOfOthers: (file, key) => {
      const recent = pending.keyWhere('sessionFile', file) ?? pending.keyWhere('sessionId', file.replace(/\.jsonl$/, ''));
      const keys = [...reader.keysOfFile(file), ...(recent === undefined ? [] : [recent])].filter((other) => other !== key);
      return keys.some((other) => fileOf(entry(other)) === file);
    },
    keyOfLabel: (label) => keyWhere('label', label, reader.entryOfLabel(label)),
    transcript: (file) => {
      refuseUnsafeFile(file);
      if (held?.has(file) === true) return held.get(file).tail;
      const tail = transcripts.ready(file);
      if (tail === undefined) throw new TranscriptNotReady(file);
      return tail;
    },
    usageOfRun: (runId) => [...reader.usageOfRun(runId), ...pendingUsage.ofRun(runId)].slice(0, USAGE_LINES_OF_RUN_MAX),
    hasUsageOf: (sessionId) => pendingUsage.hasSession(sessionId) || reader.hasUsageOf(sessionId),
  };
}

/** Transcript of an entry as it stands, or will stand. */
function fileOf(entry: EntrySnapshot | undefined): string | null {
  const parsed = entry === undefined ? undefined : parseEntry(JSON.parse(entry.text));
  return parsed?.listed === true ? parsed.file : null;
}

/** Every file that a mutation names is a transcript inside the store's directory. */
function refuseUnsafeFile(file: string): void {
  if (transcriptFileOf('', file) === file) return;
  throw new SessionError('VALIDATION', 'an append names no transcript inside the store', { facts: { fileLength: file.length } });
}

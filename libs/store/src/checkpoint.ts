/**
 * When a checkpoint is due, and its order of syncs:
 *
 *     the index has everything acknowledged → snapshot → temp file (synced every MiB) → sync the
 *     touched transcripts → is sessions.json still the one we know? → the index is told which file
 *     comes → rename → sync the directory → the index remembers the new identity → recycle the segments (and end the current one, if it
 *     is large, for the next checkpoint)
 *
 * Dying between any two steps loses nothing: the journal goes last, and what a transcript that cannot
 * be written lacks stays in it.
 */
import { randomUUID } from 'node:crypto';
import { SessionError } from '@sessions/domain';
import type { ExternalEdits } from './external-edits';
import type { FileSystem } from './files/file-system';
import { tempFileFor, type StoreLayout } from './files/layout';
import type { IndexWorkerClient } from './index-worker-client';
import type { Journal } from './journal/journal';
import type { TranscriptFiles } from './transcript/transcript-files';

/** A checkpoint takes at most this share of the time … */
const DURATION_FACTOR = 10;
/** … and this many bytes a second … */
const BYTES_PER_MS = 2000;
/** … but comes at the latest after this, and at once when the journal has this much. */
const LATE_MS_MAX = 5 * 60_000;
export const JOURNAL_BYTES_MAX = 64 * 1024 * 1024;
/** A journal that checkpoints cannot shorten grows to this; then mutations are refused. */
export const JOURNAL_BYTES_REFUSED = 1024 * 1024 * 1024;
/** A file that keeps changing under us is merged and tried again this often. */
const TRIES_MAX = 5;

export interface LastCheckpoint {
  readonly durationMs: number;
  readonly bytes: number;
}

/** Pure: milliseconds from the end of the last checkpoint to the earliest next one. */
export function checkpointSpacingMs(last: LastCheckpoint | undefined, delayMs: number): number {
  if (last === undefined) return delayMs;
  return Math.min(Math.max(delayMs, DURATION_FACTOR * last.durationMs, last.bytes / BYTES_PER_MS), LATE_MS_MAX);
}

export interface CheckpointParts {
  readonly fs: FileSystem;
  readonly layout: StoreLayout;
  readonly journal: Journal;
  readonly worker: IndexWorkerClient;
  readonly transcripts: TranscriptFiles;
  readonly edits: ExternalEdits;
  /** Throws when a newer owner is known: a fenced writer renames nothing. */
  readonly fence: () => void;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
}

export interface CheckpointReport {
  /** Set while the journal keeps lines of a transcript that cannot be written: its first sequence. */
  readonly heldFromSeq?: number;
  readonly seq: number;
  readonly bytes: number;
  readonly entriesCount: number;
  readonly durationMs: number;
}

/** Runs one checkpoint from end to end. @throws what a step threw; the next one starts anew. */
export async function runCheckpoint(parts: CheckpointParts): Promise<CheckpointReport> {
  const startedAt = parts.monotonicMs();
  const seq = parts.journal.syncedSeq;
  await parts.worker.reached(seq);
  for (let attempt = 1; ; attempt += 1) {
    const tempFile = tempFileFor(parts.layout.sessionsFile, process.pid, randomUUID());
    const written = await writeTemp(parts, tempFile, seq);
    if (written === undefined) {
      // Somebody else wrote the file meanwhile: their edit goes in first.
      if (attempt >= TRIES_MAX) throw new SessionError('SESSION_LOCKED', `${parts.layout.sessionsFile} changes faster than it can be merged`);
      continue;
    }
    const { indexDurable } = await parts.worker.call('finishCheckpoint', {
      seq: written.seq,
      identity: parts.edits.known,
      nowMs: parts.nowMs(),
    });
    // Only a checkpoint that came through frees anything: one that fails must not eat the disk.
    parts.journal.seal();
    const { heldFromSeq = Number.MAX_SAFE_INTEGER } = written;
    if (indexDurable) await parts.journal.recycleThrough(Math.min(seq, written.seq, heldFromSeq - 1));
    const held = written.heldFromSeq === undefined ? {} : { heldFromSeq: written.heldFromSeq };
    return { seq: written.seq, bytes: written.bytes, entriesCount: written.entriesCount, durationMs: parts.monotonicMs() - startedAt, ...held };
  }
}

/** @returns undefined when the sessions file had been changed by others; it is merged then. */
async function writeTemp(
  parts: CheckpointParts,
  tempFile: string,
  seq: number,
): Promise<{ seq: number; bytes: number; entriesCount: number; heldFromSeq: number | undefined } | undefined> {
  const { fs, layout, edits } = parts;
  const { known } = edits;
  try {
    const written = await parts.worker.call('writeCheckpoint', { seq, tempFile, nowMs: parts.nowMs() });
    // A line that has no room is no sync that failed: this checkpoint fails, and the store goes on.
    const { files, heldFromSeq } = await parts.transcripts.settleTouched();
    await believeSync(layout.dir, parts.transcripts.sync(files));
    await edits.pause();
    try {
      // Merged since the snapshot or about to be: the snapshot lacks it either way.
      if (edits.known !== known || !(await edits.isUnchanged())) {
        await fs.unlink(tempFile);
        await edits.lookNow();
        return undefined;
      }
      if (edits.blocked) {
        throw new SessionError('STORE_UNREADABLE', `${layout.sessionsFile} is not a regular file`, {
          facts: { path: layout.sessionsFile },
          hint: 'move it away; the sessions file is written again from the index',
        });
      }
      // Renaming changes none of it. Whoever dies before `finishCheckpoint` knows its own file again.
      const identity = await fs.identify(tempFile);
      await parts.worker.call('announceCheckpoint', { identity });
      parts.fence();
      await fs.rename(tempFile, layout.sessionsFile);
      await believeSync(layout.dir, fs.syncDirectory(layout.dir));
      edits.setKnown(identity);
    } finally {
      edits.resume();
    }
    return { ...written, heldFromSeq };
  } catch (error) {
    await fs.unlink(tempFile).catch(() => undefined);
    throw error;
  }
}

/**
 * A sync that failed is never asked for again and believed: the kernel has dropped the dirty mark.
 * OUTCOME_UNKNOWN ends the store; its next opening writes the journal's bytes again.
 */
async function believeSync(where: string, sync: Promise<void>): Promise<void> {
  try {
    await sync;
  } catch (cause) {
    throw new SessionError('OUTCOME_UNKNOWN', `a sync failed in ${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause, facts: { path: where } });
  }
}

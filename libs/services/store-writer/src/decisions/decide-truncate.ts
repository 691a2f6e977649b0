/** A transcript cut to its last lines; the original stays as an archive that a restore undoes it from. */
import { SessionError } from '@sessions/domain';
import type { HeldView, MutationView, StagedTranscript } from '@sessions/store';
import { membersAfter, rowOf, type Planned, type StoredAnswer } from './planned';
import { entryTextOf, heldTranscript, refuseRunning } from './session-files';
import { findSession } from './session-of-key';

/** What was staged of the lines that stay, or why there is nothing to stage. */
export type Cut =
  | { readonly ok: true; readonly compacted: true; readonly staged: StagedTranscript; readonly keptLines: number; readonly summaryDropped: boolean }
  | { readonly ok: true; readonly compacted: false; readonly reason: string; readonly keptLines: number }
  | { readonly ok: false; readonly reason: string };

export interface TruncateRequest {
  readonly agentId: string;
  readonly key: string;
  readonly cut: Cut;
  readonly held: HeldView;
  readonly actor: string;
}

export type TruncateAnswer = StoredAnswer<
  'TruncateTranscript',
  {
    readonly key: string;
    readonly ok: boolean;
    readonly compacted: boolean;
    readonly reason: string | null;
    readonly archived: string | null;
    readonly keptLines: number;
    readonly summaryDropped: boolean;
  }
>;

const TOKENS = ['inputTokens', 'outputTokens', 'totalTokens', 'cacheRead', 'cacheWrite'];

/** @throws SESSION_NOT_FOUND; FilesMoved, RunsOpen */
export function decideTruncate({ agentId, key: asked, cut, held, actor }: TruncateRequest, view: MutationView): Planned<TruncateAnswer> {
  const present = findSession(view, asked);
  if (present === undefined) throw new SessionError('SESSION_NOT_FOUND', `No session found: ${asked}`);
  const { key, sessionId } = present;
  const transcript = heldTranscript(held, present);
  const nothing = { method: 'TruncateTranscript', key, ok: cut.ok, compacted: false, archived: null, summaryDropped: false } as const;
  if (transcript === undefined || !cut.ok || !cut.compacted) {
    const reason = cut.ok && cut.compacted ? 'no transcript' : cut.reason;
    return { decision: { effects: [], result: { ...nothing, reason, keptLines: cut.ok ? cut.keptLines : 0 } }, announcements: [] };
  }
  refuseRunning(present);
  const put = { set: { updatedAt: view.nowMs, totalTokensFresh: false }, clear: TOKENS.filter((name) => name in present.members) };
  return {
    decision: {
      effects: [
        { kind: 'replaceTranscript', file: transcript.file, staged: cut.staged },
        { kind: 'recordArchive', reason: 'compact', key, sessionId, ...entryTextOf(view, key), actor },
        { kind: 'putEntry', key, ...put },
      ],
      result: { ...nothing, compacted: true, reason: null, archived: transcript.asideAs, keptLines: cut.keptLines, summaryDropped: cut.summaryDropped },
    },
    announcements: [
      { kind: 'changed', key, sessionId: sessionId ?? undefined, reason: 'compact', row: rowOf(agentId, key, membersAfter(present.members, put), cut.staged.tail.exchanges) },
    ],
  };
}

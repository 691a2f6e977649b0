/** Messages that waited in the entry, on their way into the transcript: lines, ids and what is told of them. */
import { simpleMessageLine, userMessageLine } from '@sessions/domain';
import type { AppendEffect, TranscriptTail } from '@sessions/store';
import type { Announcement } from '../publish-events';
import { headerLine, type NewSession } from './new-session';
import { contentOfWaiting, type OpenRun } from './open-run';
import type { SpoolView } from './spool-view';

export interface LinePlace {
  readonly key: string;
  readonly sessionId: string;
  readonly file: string;
  readonly tail: TranscriptTail;
  readonly session: Pick<NewSession, 'cwd'>;
  readonly nowMs: number;
}

export interface WrittenLines {
  /** Undefined: nothing waited. */
  readonly append: AppendEffect | undefined;
  /** By run id. */
  readonly ids: ReadonlyMap<string, string>;
  /** User and assistant messages of the transcript afterwards. */
  readonly exchanges: number;
  /** Tip of the branch afterwards. */
  readonly leafId: string | null;
  announcements(row: Uint8Array | undefined): Announcement[];
}

/** Lines of the runs whose messages wait, in order; those that were left out of the model's view stand beside the branch. @throws SpoolUnread */
export function writeWaiting(runs: readonly OpenRun[], { key, sessionId, file, tail, session, nowMs }: LinePlace, spool: SpoolView): WrittenLines {
  const ids = new Map<string, string>();
  const lines: string[] = [];
  const told: Omit<Extract<Announcement, { kind: 'message' }>, 'row'>[] = [];
  let leafId = tail.leafId;
  for (const { runId, message, isSide } of runs) {
    if (message === undefined) continue;
    const content = contentOfWaiting(message, spool);
    const messageSeq = tail.messages + 1 + told.length;
    const isSimple = tail.kind === 'simple';
    const id = isSimple ? `L${String(messageSeq)}` : message.recordId;
    const { idempotencyKey, provenance } = message;
    const native = (): string =>
      userMessageLine({
        id,
        parentId: leafId,
        nowMs,
        content,
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        ...(provenance === undefined ? {} : { provenance: provenance as never }),
      });
    const line = isSimple ? simpleMessageLine('user', content, nowMs) : isSide === true ? `${native().slice(0, -1)},"appendMode":"side"}` : native();
    lines.push(line);
    told.push({ kind: 'message', key, sessionId, messageId: id, messageSeq, line, runId });
    ids.set(runId, id);
    if (!isSimple && isSide !== true) leafId = id;
  }
  const begins = tail.kind === 'none' || tail.kind === 'empty';
  const header = begins && lines.length > 0 ? [headerLine(session, sessionId, key, nowMs)] : [];
  return {
    append: lines.length === 0 ? undefined : { kind: 'append', file, lines: [...header, ...lines], messages: lines.length, exchanges: lines.length, leafId },
    ids,
    exchanges: tail.exchanges + lines.length,
    leafId,
    announcements: (row) => told.map((one) => ({ ...one, row })),
  };
}

/**
 * The end of a compaction after which another transcript goes on (compaction §9): the entry names it in
 * the same record that puts it into its place. The one before stays as it is, for its checkpoint.
 */
import { rotationOf, type JsonObject, type JsonValue } from '@sessions/domain';
import type { HeldView, MutationView, StagedTranscript } from '@sessions/store';
import { installedAnswer, installedPut, openOperation, type EndCompactionAnswer, type InstallRequest } from './decide-end-compaction';
import { membersAfter, rowOf, type Planned } from './planned';
import { FilesMoved } from './session-files';

export interface RotateRequest extends Omit<InstallRequest, 'branch' | 'cutId'> {
  readonly held: HeldView;
  /** Transcript that was read. */
  readonly file: string;
  readonly successor: {
    readonly sessionId: string;
    readonly file: string;
    readonly staged: StagedTranscript;
    readonly firstKeptEntryId: string;
  };
}

/** @throws STALE_PLAN; FilesMoved */
export function decideRotate(request: RotateRequest, view: MutationView): Planned<EndCompactionAnswer> {
  const { agentId, operationId, held, file, successor } = request;
  const { present, pending } = openOperation(operationId, view);
  if (present.file !== file || !held.has(file)) throw new FilesMoved();
  const { sessionId, staged, firstKeptEntryId } = successor;
  const { key, members } = present;
  const before = { file, leafId: held.get(file).tail.leafId };
  const installed = installedPut(request, { present, pending, before, after: { sessionId, file: successor.file, bytes: staged.bytes }, firstKeptEntryId }, view);
  const moved = rotationOf(members, { key, before: pending.sessionId, sessionId, sessionFile: successor.file });
  const counted: Record<string, JsonValue> = typeof members['messageCount'] === 'number' ? { messageCount: staged.tail.exchanges } : {};
  const put = { set: { ...installed.set, ...moved, ...counted }, clear: installed.clear };
  const row = rowOf(agentId, key, membersAfter(members, put), staged.tail.exchanges);
  return {
    decision: {
      effects: [
        { kind: 'replaceTranscript', file: successor.file, staged },
        { kind: 'putEntry', key, ...put },
      ],
      result: installedAnswer(request, key, pending.sessionId, firstKeptEntryId),
    },
    announcements: [
      { kind: 'operation', key, sessionId, operationId, phase: 'end', completed: true },
      { kind: 'changed', key, sessionId, reason: 'compact', row, previousSessionId: pending.sessionId, messageSeq: staged.tail.messages },
    ],
  };
}

/** What stands in the entry of the tutorial's format has no place for it. */
export function mayRotate(members: JsonObject): boolean {
  return typeof members['sessionId'] === 'string' && members['uuid'] === undefined;
}

/** The lines of the transcript cannot go on in another one; it grows instead. */
export class NotRotated extends Error {
  readonly why: string;
  constructor(why: string) {
    super(why);
    this.why = why;
  }
}

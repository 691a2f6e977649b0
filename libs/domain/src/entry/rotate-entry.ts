/**
 * What becomes of an entry whose transcript goes on in another one (compaction §9): the same session
 * under a new session id. Nothing begins anew: what was chosen, counted and asked for stays.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';
import { insideSessionsDir } from './entry-file';
import { APPROVALS_MEMBER, RUNS_MEMBER, YIELDED_MEMBER } from './open-work';
import { familyWith } from './session-family';

/** Open work that names the transcript it belongs to. */
const NAMING_MEMBERS = [RUNS_MEMBER, APPROVALS_MEMBER, YIELDED_MEMBER];
/** Transcripts that one session can have gone through while its entry remembers it. */
const STEPS_MAX = 64;

export interface Rotation {
  readonly key: string;
  readonly before: string;
  readonly sessionId: string;
  readonly sessionFile: string;
}

/**
 * Members to set. The family keeps the id before: what was used under it still counts, and its file is
 * referenced (decision 30).
 */
export function rotationOf(entry: JsonObject, { key, before, sessionId, sessionFile }: Rotation): Record<string, JsonValue> {
  return {
    sessionId,
    sessionFile,
    ...(typeof entry['usageFamilyKey'] === 'string' ? {} : { usageFamilyKey: key }),
    usageFamilySessionIds: familyWith(entry, [before, sessionId]),
    ...movedMembers(entry, before, sessionId),
  };
}

/** Work that was open in the transcript before is open in the next one. */
function movedMembers(entry: JsonObject, before: string, sessionId: string): Record<string, JsonValue> {
  const moved: Record<string, JsonValue> = {};
  for (const name of NAMING_MEMBERS) {
    const value = entry[name];
    if (!Array.isArray(value)) continue;
    const all = value as readonly JsonValue[];
    if (!all.some((one) => isJsonObject(one) && one['sessionId'] === before)) continue;
    moved[name] = all.map((one): JsonValue => (isJsonObject(one) && one['sessionId'] === before ? { ...one, sessionId } : one));
  }
  return moved;
}

/** Transcripts that the present one came after, as the checkpoints name them; the newest last. */
export function transcriptsBefore(entry: JsonObject): readonly RotatedTranscript[] {
  const listed = entry['compactionCheckpoints'];
  const found = (Array.isArray(listed) ? (listed as readonly JsonValue[]) : []).flatMap((checkpoint): RotatedTranscript[] => {
    const pre = isJsonObject(checkpoint) ? checkpoint['preCompaction'] : undefined;
    const post = isJsonObject(checkpoint) ? checkpoint['postCompaction'] : undefined;
    if (!isJsonObject(pre) || !isJsonObject(post) || pre['sessionId'] === post['sessionId']) return [];
    const file = typeof pre['sessionFile'] === 'string' ? insideSessionsDir(pre['sessionFile']) : undefined;
    return typeof pre['sessionId'] === 'string' && file !== undefined ? [{ sessionId: pre['sessionId'], file }] : [];
  });
  return found.filter(({ file }, at) => found.findIndex((other) => other.file === file) === at);
}

/** A transcript that went on in another one, as a checkpoint of the entry tells. */
export interface RotatedTranscript {
  readonly sessionId: string;
  readonly file: string;
}

/**
 * The transcripts from this one to the one before the present, when the session went on from it by
 * compactions alone: the ids of both ends of its checkpoints lead from one to the next.
 * @returns undefined when the id is the present one's, or was left by a reset, or is nobody's.
 */
export function successorOf(entry: JsonObject, sessionId: string): readonly RotatedTranscript[] | undefined {
  const present = entry['sessionId'];
  const listed = entry['compactionCheckpoints'];
  if (!Array.isArray(listed) || typeof present !== 'string') return undefined;
  const next = new Map<string, { readonly id: string; readonly file: string }>();
  for (const checkpoint of listed as readonly JsonValue[]) {
    if (!isJsonObject(checkpoint)) continue;
    const { preCompaction: pre, postCompaction: post } = checkpoint;
    if (!isJsonObject(pre) || !isJsonObject(post) || typeof pre['sessionId'] !== 'string' || typeof post['sessionId'] !== 'string') continue;
    if (pre['sessionId'] !== post['sessionId']) next.set(pre['sessionId'], { id: post['sessionId'], file: typeof pre['sessionFile'] === 'string' ? pre['sessionFile'] : '' });
  }
  const through: RotatedTranscript[] = [];
  for (let at = sessionId; at !== present; ) {
    const step = next.get(at);
    if (step === undefined || through.length >= STEPS_MAX) return undefined;
    through.push({ sessionId: at, file: step.file });
    at = step.id;
  }
  return through.length === 0 ? undefined : through;
}

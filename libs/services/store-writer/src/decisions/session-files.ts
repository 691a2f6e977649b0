/** Which files belong to a session, and what a decision knows of them while they are held. Pure. */
import { DELIVERIES_MEMBER, RUNS_MEMBER, SessionError, isJsonObject, patchRawObject, transcriptsBefore, type JsonObject } from '@sessions/domain';
import type { Effect, HeldFile, HeldView, MutationView } from '@sessions/store';
import { runsOf } from './open-run';
import type { PresentSession } from './session-of-key';

/** The session has other files than those that are held: hold them and decide anew. */
export class FilesMoved extends Error {}

const SUFFIX = '.jsonl';

/** Runtime events and the pointer to relocated ones, named after the transcript or the session id. */
export function sidecarsOf(file: string, sessionId: string): string[] {
  const folder = file.slice(0, file.lastIndexOf('/') + 1);
  const base = file.endsWith(SUFFIX) ? file.slice(0, -SUFFIX.length) : file;
  const names = [`${base}.trajectory.jsonl`, `${base}.trajectory-path.json`, `${folder}${sessionId}.trajectory.jsonl`, `${folder}${sessionId}.trajectory-path.json`];
  return [...new Set(names)];
}

/** Sessions before that leave with a deleted one: with their sidecars and its own, what one piece of work may hold. */
const BEFORE_MAX = 18;

/** Transcripts that the session went on from by compactions, and what belongs to them; of many the newest. */
export function filesBefore(members: JsonObject, file: string): string[] {
  const before = transcriptsBefore(members).filter((one) => one.file !== file).slice(-BEFORE_MAX);
  return before.flatMap((one) => [one.file, ...sidecarsOf(one.file, '').slice(0, 2)]);
}

/** The held transcript of a session; undefined where there is no file. @throws FilesMoved */
export function heldTranscript(held: HeldView, present: PresentSession | undefined): HeldFile | undefined {
  const file = present?.file ?? undefined;
  if (file === undefined) return undefined;
  if (!held.has(file)) throw new FilesMoved();
  const transcript = held.get(file);
  return transcript.found === undefined ? undefined : transcript;
}

export interface SetAside {
  readonly effects: readonly Effect[];
  /** Names inside the store's directory under which the files stand afterwards. */
  readonly archived: readonly string[];
  /** Bytes that are set aside. */
  readonly bytes: number;
}

export interface SetAsideRequest {
  readonly held: HeldView;
  readonly present: PresentSession;
  /** False: only the transcript, as at a reset. Transcripts before it go along where they are held. */
  readonly withSidecars: boolean;
}

/** Effects that set a session's files aside; a transcript that another row still uses stays with all its sidecars. */
export function setAside({ held, present, withSidecars }: SetAsideRequest, view: MutationView): SetAside {
  const transcript = heldTranscript(held, present);
  const { file, sessionId, key } = present;
  if (file === null || view.isFileOfOthers(file, key)) return { effects: [], archived: [], bytes: 0 };
  const before = withSidecars ? filesBefore(present.members, file).filter((name) => !view.isFileOfOthers(name, key)) : [];
  const sidecars = withSidecars && sessionId !== null ? [...sidecarsOf(file, sessionId), ...before].filter((name) => held.has(name)) : [];
  const found = [...(transcript === undefined ? [] : [transcript]), ...sidecars.map((name) => held.get(name)).filter((other) => other.found !== undefined)];
  return {
    effects: found.map(({ file: name }): Effect => ({ kind: 'setAside', file: name })),
    archived: found.map(({ asideAs }) => asideAs),
    bytes: found.reduce((sum, { found: bytes }) => sum + (bytes?.bytes ?? 0), 0),
  };
}

/** Runs of the session are open: end them and decide anew. */
export class RunsOpen extends Error {}

/** @throws RunsOpen */
export function refuseOpenRuns(present: PresentSession | undefined): void {
  if (present !== undefined && runsOf(present.members).length > 0) throw new RunsOpen();
}

/** @throws RunsOpen while a runner works on a run; those that wait may go on waiting. */
export function refuseRunning(present: PresentSession | undefined): void {
  if (present !== undefined && runsOf(present.members).some(({ state }) => state === 'running')) throw new RunsOpen();
}

/** @throws ENTRY_CHANGED */
export function refuseOtherSession(present: PresentSession | undefined, expectedSessionId: string | undefined): void {
  if (expectedSessionId === undefined || expectedSessionId === (present?.sessionId ?? undefined)) return;
  throw new SessionError('ENTRY_CHANGED', 'the key has another session id by now', { facts: { expectedSessionId, sessionId: present?.sessionId ?? null } });
}

/** The entry as the manifest keeps it: what was open ends with the session, and does not come back with it. */
export function entryTextOf(view: MutationView, key: string): { readonly entryText?: string } {
  const text = view.entry(key)?.text;
  if (text === undefined) return {};
  const members = JSON.parse(text) as JsonObject;
  if (!isJsonObject(members)) return {};
  const open = [RUNS_MEMBER, DELIVERIES_MEMBER].filter((name) => members[name] !== undefined);
  return { entryText: open.length === 0 ? text : patchRawObject(text, { clear: open }) };
}

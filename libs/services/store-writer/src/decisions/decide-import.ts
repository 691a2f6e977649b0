/** A session that comes from another host, under a key that has none. */
import { SessionError, importedEntryText, isJsonObject, type JsonObject, type TranscriptHere } from '@sessions/domain';
import type { Effect, HeldView, MutationView, StagedTranscript } from '@sessions/store';
import { rowOf, type Planned, type StoredAnswer } from './planned';
import { liveSpelling } from './session-of-key';

export interface ImportedFile {
  readonly file: string;
  readonly staged: StagedTranscript;
}

export interface ImportRequest {
  readonly agentId: string;
  readonly key: string;
  readonly entryText: string;
  readonly sessionId: string | null;
  readonly file: string | null;
  /** Transcripts before it, under the names that they get. */
  readonly before: readonly TranscriptHere[];
  /** The transcript belongs to another key too. */
  readonly isShared: boolean;
  /** What gets its name; nothing where the transcript is there. */
  readonly staged: readonly ImportedFile[];
  /** The transcript of that name begins with all that the archive has. */
  readonly isThere: boolean;
  readonly held: HeldView;
}

export type ImportAnswer = StoredAnswer<'ImportSession', { readonly key: string; readonly sessionId: string | null; readonly imported: boolean }>;

/** @throws ENTRY_CHANGED where something else has the key, the session id or the name of a file */
export function decideImport(request: ImportRequest, view: MutationView): Planned<ImportAnswer> {
  const { agentId, entryText, sessionId, file, before, staged, isThere, isShared, held } = request;
  const present = liveSpelling(request.key, (key) => view.entry(key), () => 0);
  const key = present?.key ?? request.key;
  const text = importedEntryText(entryText, { sessionId, file, before, key });
  const value: unknown = JSON.parse(text);
  const members: JsonObject = isJsonObject(value) ? value : {};
  const answer = (imported: boolean, effects: readonly Effect[]): Planned<ImportAnswer>['decision'] => ({ effects, result: { method: 'ImportSession', key, sessionId, imported } });
  if (present !== undefined) {
    if (!isSame(present.text, members, text) || (file !== null && !isThere && staged.length > 0)) throw taken('the key has another session');
    return { decision: answer(false, []), announcements: [] };
  }
  const owner = sessionId === null ? undefined : view.keyOfSession(sessionId);
  if (owner !== undefined && !(isShared && isThere)) throw taken('the session id belongs to another key');
  const stands = [...(file === null ? [] : [file]), ...before.map((one) => one.file), ...staged.map((one) => one.file)].find((name) => held.get(name).found !== undefined);
  if (stands !== undefined && !(isShared && isThere)) throw taken('a file of the session stands there already', stands);
  const other = before.find((one) => view.keyOfSession(one.sessionId) !== undefined);
  if (other !== undefined) throw taken('the session id of a transcript before belongs to another key', other.file);
  if (isShared && !isThere) throw taken('the transcript that the key shares with another is not there');
  const effects: Effect[] = [{ kind: 'putEntryText', key, text }, ...staged.map((one): Effect => ({ kind: 'replaceTranscript', ...one }))];
  const exchanges = staged.find((one) => one.file === file)?.staged.tail.exchanges ?? 0;
  return { decision: answer(true, effects), announcements: [{ kind: 'changed', key, sessionId: sessionId ?? undefined, reason: 'import', row: rowOf(agentId, key, members, exchanges) }] };
}

/** Sessions go on after an import: an entry is the same while it is of the same session. */
function isSame(presentText: string, members: JsonObject, text: string): boolean {
  const value: unknown = JSON.parse(presentText);
  const id = (of: JsonObject): unknown => of['sessionId'] ?? of['uuid'];
  return isJsonObject(value) && id(value) !== undefined ? id(value) === id(members) : presentText === text;
}

function taken(what: string, file?: string): SessionError {
  return new SessionError('ENTRY_CHANGED', `${what}; nothing is overwritten`, { facts: file === undefined ? {} : { file }, hint: 'Import it under another key: openclaw sessions import <file> --as <key>' });
}

/**
 * An entry that comes from another host: its bytes stay as they are but for what would be untrue here.
 * Nothing runs here yet, work that is open stays with the host that accepted it (nobody gets an answer
 * twice), its file has the name that it gets here, and what would give rights here or points to files,
 * credentials and processes of the other host goes.
 */
import type { JsonValue } from '../json';
import { isJsonObject } from '../json';
import { transcriptFileName } from './entry-file';
import { parseEntry } from './entry';
import { OPEN_WORK_MEMBERS, WORK_NOTE_MEMBERS } from './open-work';
import { patchRawObject } from './raw-object';
import { REMOVAL_NOTICE_MEMBER } from './removal-notice';

export interface ImportedEntry {
  /** Another one than the entry has: the id was taken. Null: the entry names no session. */
  readonly sessionId: string | null;
  /** Transcript's name in the store's directory. */
  readonly file: string | null;
}

/** Work under way on the other host, and what was announced there. */
const OF_THE_OTHER = [...OPEN_WORK_MEMBERS, ...WORK_NOTE_MEMBERS, REMOVAL_NOTICE_MEMBER];

/** Rights that were given on the other host, and pointers into it. */
const AUTHORITY_OF_THE_OTHER = [
  // A session here of the parent's key would see and steer it.
  'spawnedBy', 'subagentRole', 'subagentControlScope', 'spawnMode', 'threadBinding',
  // Messages of a thread here would go there.
  'boundSession',
  // The end of a run here would archive it, or remove files that another session owns.
  'cleanup', 'archiveAt', 'attachments', 'attachAs',
  // Directories, hosts and credentials of the same name are others here.
  'spawnedWorkspaceDir', 'spawnedCwd', 'execHost', 'execSecurity', 'execAsk', 'execNode', 'authProfileOverride', 'skillsSnapshot', 'systemPromptReport',
  // Sessions of other programs that a run would resume.
  'acp', 'cliSessionBindings', 'cliSessionIds', 'claudeCliSessionId',
];
/** Transcripts of the other host, which do not come along: a session here that has them would lose them with this one. */
const TRANSCRIPTS_OF_THE_OTHER = ['previousSessionId', 'usageFamilyKey', 'usageFamilySessionIds'];
const CHECKPOINTS = 'compactionCheckpoints';
/** A checkpoint in a file of its own, as older programs made them: an archive carries it. */
const CHECKPOINT_FILE = /\.checkpoint\.[^/]+\.jsonl$/u;

/** Members that give rights by some of their values only; the value that takes away stays. */
const KEPT_VALUES: ReadonlyMap<string, JsonValue> = new Map([['sendPolicy', 'deny'], ['elevatedLevel', 'off']]);

/** @param text one JSON value; one that is no object stays as it is. */
export function importedEntryText(text: string, { sessionId, file }: ImportedEntry): string {
  const value: unknown = JSON.parse(text);
  const entry = parseEntry(value);
  if (!isJsonObject(value)) return text;
  const rights = [...AUTHORITY_OF_THE_OTHER, ...[...KEPT_VALUES].flatMap(([name, kept]) => (value[name] === kept ? [] : [name]))].filter((name) => name in value);
  if (!entry.listed || sessionId === null) return rights.length === 0 ? text : patchRawObject(text, { set: {}, clear: rights });
  const set: Record<string, JsonValue> = {};
  const idMember = entry.format === 'native' ? 'sessionId' : 'uuid';
  if (value[idMember] !== sessionId) set[idMember] = sessionId;
  const named = value['sessionFile'];
  if (file !== null && named !== file && (named !== undefined || file !== transcriptFileName(sessionId))) set['sessionFile'] = file;
  if (value['status'] === 'running') Object.assign(set, { status: 'killed', abortedLastRun: true });
  const { [CHECKPOINTS]: checkpoints, [idMember]: idThere } = value;
  const kept = Array.isArray(checkpoints) ? (checkpoints as readonly JsonValue[]).flatMap((one) => checkpointHere(one, idThere, { sessionId, file })) : [];
  const isChanged = JSON.stringify(kept) !== JSON.stringify(checkpoints ?? []);
  if (isChanged && kept.length > 0) set[CHECKPOINTS] = kept;
  const dropped = [...TRANSCRIPTS_OF_THE_OTHER.filter((name) => name in value), ...(isChanged && kept.length === 0 ? [CHECKPOINTS] : [])];
  const clear = [...OF_THE_OTHER.filter((name) => name in value), ...rights, ...dropped];
  return Object.keys(set).length + clear.length === 0 ? text : patchRawObject(text, { set, clear });
}

/** As it is true here: none of a transcript before this one, and the names that this one has here. */
function checkpointHere(checkpoint: JsonValue, idThere: JsonValue | undefined, { sessionId, file }: ImportedEntry): JsonValue[] {
  const before = isJsonObject(checkpoint) ? checkpoint['preCompaction'] : undefined;
  if (!isJsonObject(checkpoint) || !isJsonObject(before)) return [checkpoint];
  if (typeof before['sessionFile'] === 'string' && CHECKPOINT_FILE.test(before['sessionFile'])) return [checkpoint];
  if (before['sessionId'] !== undefined && before['sessionId'] !== idThere) return [];
  const here = (part: JsonValue | undefined): JsonValue | undefined =>
    !isJsonObject(part) || part['sessionId'] !== idThere ? part : { ...part, sessionId, ...(part['sessionFile'] === undefined || file === null ? {} : { sessionFile: file }) };
  const ends = Object.fromEntries(['preCompaction', 'postCompaction'].flatMap((name) => (checkpoint[name] === undefined ? [] : [[name, here(checkpoint[name]) as JsonValue]])));
  return [{ ...checkpoint, ...(checkpoint['sessionId'] === idThere ? { sessionId } : {}), ...ends }];
}

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
import { importedTranscript } from './imported-transcript';
import { OPEN_WORK_MEMBERS, WORK_NOTE_MEMBERS } from './open-work';
import { patchRawObject } from './raw-object';
import { REMOVAL_NOTICE_MEMBER } from './removal-notice';

export interface ImportedEntry {
  /** Another one than the entry has: the id was taken. Null: the entry names no session. */
  readonly sessionId: string | null;
  /** Transcript's name in the store's directory. */
  readonly file: string | null;
  /** Transcripts before it that came along, oldest first: what they were called there, and are called here. */
  readonly before?: readonly TranscriptHere[];
  /** Its key here. */
  readonly key?: string;
}

export interface TranscriptHere {
  readonly idThere: string;
  readonly sessionId: string;
  readonly file: string;
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
/** Name transcripts of the other host, also such that do not come along: a session here that has them would lose them with this one. */
const TRANSCRIPTS_OF_THE_OTHER = ['previousSessionId', 'usageFamilyKey', 'usageFamilySessionIds'];
const CHECKPOINTS = 'compactionCheckpoints';
/** A checkpoint in a file of its own, as older programs made them: an archive carries it. */
const CHECKPOINT_FILE = /\.checkpoint\.[^/]+\.jsonl$/u;

/** Members that give rights by some of their values only; the value that takes away stays. */
const KEPT_VALUES: ReadonlyMap<string, JsonValue> = new Map([['sendPolicy', 'deny'], ['elevatedLevel', 'off']]);

/** @param text one JSON value; one that is no object stays as it is. */
export function importedEntryText(text: string, { sessionId, file, before = [], key }: ImportedEntry): string {
  const value: unknown = JSON.parse(text);
  const entry = parseEntry(value);
  if (!isJsonObject(value)) return text;
  const rights = [...AUTHORITY_OF_THE_OTHER, ...[...KEPT_VALUES].flatMap(([name, kept]) => (value[name] === kept ? [] : [name]))].filter((name) => name in value);
  if (!entry.listed || sessionId === null) return rights.length === 0 ? text : patchRawObject(text, { set: {}, clear: rights });
  const set: Record<string, JsonValue> = {};
  const idMember = entry.format === 'native' ? 'sessionId' : 'uuid';
  const named = value['sessionFile'];
  if (file !== null && named !== file && (named !== undefined || file !== transcriptFileName(sessionId))) set['sessionFile'] = file;
  if (value['status'] === 'running') Object.assign(set, { status: 'killed', abortedLastRun: true });
  const { [CHECKPOINTS]: checkpoints, [idMember]: idThere } = value;
  if (idThere !== sessionId) set[idMember] = sessionId;
  const own: readonly Place[] = typeof idThere === 'string' ? [{ idThere, sessionId, file }] : [];
  const places = new Map<JsonValue, Place>([...before, ...own].map((place) => [place.idThere, place]));
  const kept = Array.isArray(checkpoints) ? (checkpoints as readonly JsonValue[]).flatMap((one) => checkpointHere(one, places)) : [];
  const isChanged = JSON.stringify(kept) !== JSON.stringify(checkpoints ?? []);
  if (isChanged && kept.length > 0) set[CHECKPOINTS] = kept;
  if (file !== null && typeof idThere === 'string' && idThere !== sessionId) Object.assign(set, importedTranscript(value, idThere, sessionId));
  const cameAlong = before.length > 0 && key !== undefined;
  if (cameAlong) Object.assign(set, { usageFamilyKey: key, usageFamilySessionIds: [...before.map((one) => one.sessionId), sessionId] });
  const dropped = [...TRANSCRIPTS_OF_THE_OTHER.filter((name) => name in value && !(name in set)), ...(isChanged && kept.length === 0 ? [CHECKPOINTS] : [])];
  const clear = [...OF_THE_OTHER.filter((name) => name in value), ...rights, ...dropped];
  return Object.keys(set).length + clear.length === 0 ? text : patchRawObject(text, { set, clear });
}

interface Place {
  readonly idThere: string;
  readonly sessionId: string;
  readonly file: string | null;
}

/** As it is true here: none of a transcript that did not come along, and the names that the others have here. */
function checkpointHere(checkpoint: JsonValue, places: ReadonlyMap<JsonValue, Place>): JsonValue[] {
  const before = isJsonObject(checkpoint) ? checkpoint['preCompaction'] : undefined;
  if (!isJsonObject(checkpoint) || !isJsonObject(before)) return [checkpoint];
  if (typeof before['sessionFile'] === 'string' && CHECKPOINT_FILE.test(before['sessionFile'])) return [checkpoint];
  const placeOf = (part: JsonValue | undefined): Place | undefined => (isJsonObject(part) && part['sessionId'] !== undefined ? places.get(part['sessionId']) : undefined);
  const isElsewhere = (part: JsonValue | undefined): boolean => isJsonObject(part) && part['sessionId'] !== undefined && placeOf(part) === undefined;
  if ([before, checkpoint['postCompaction'], checkpoint].some(isElsewhere)) return [];
  const here = (part: JsonValue): JsonValue => {
    const place = placeOf(part);
    if (!isJsonObject(part) || place === undefined) return part;
    return { ...part, sessionId: place.sessionId, ...(part['sessionFile'] === undefined || place.file === null ? {} : { sessionFile: place.file }) };
  };
  const ends = Object.fromEntries(['preCompaction', 'postCompaction'].flatMap((name) => (checkpoint[name] === undefined ? [] : [[name, here(checkpoint[name])]])));
  return [{ ...checkpoint, ...(checkpoint['sessionId'] === undefined ? {} : { sessionId: (placeOf(checkpoint) as Place).sessionId }), ...ends }];
}

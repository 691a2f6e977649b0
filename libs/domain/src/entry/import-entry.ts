/**
 * An entry that comes from another host: its bytes stay as they are but for what would be untrue here.
 * Nothing runs here yet, work that is open stays with the host that accepted it (nobody gets an answer
 * twice), and its file has the name that it gets here.
 */
import type { JsonValue } from '../json';
import { isJsonObject } from '../json';
import { transcriptFileName } from './entry-file';
import { parseEntry } from './entry';
import { OPEN_WORK_MEMBERS } from './open-work';
import { patchRawObject } from './raw-object';
import { REMOVAL_NOTICE_MEMBER } from './removal-notice';

export interface ImportedEntry {
  /** Another one than the entry has: the id was taken. Null: the entry names no session. */
  readonly sessionId: string | null;
  /** Transcript's name in the store's directory. */
  readonly file: string | null;
}

/** Work under way on the other host, and what was announced there. */
const OF_THE_OTHER = [...OPEN_WORK_MEMBERS, REMOVAL_NOTICE_MEMBER];

/** @param text one JSON value; one that is no entry stays as it is. */
export function importedEntryText(text: string, { sessionId, file }: ImportedEntry): string {
  const value: unknown = JSON.parse(text);
  const entry = parseEntry(value);
  if (!entry.listed || !isJsonObject(value) || sessionId === null) return text;
  const set: Record<string, JsonValue> = {};
  const idMember = entry.format === 'native' ? 'sessionId' : 'uuid';
  if (value[idMember] !== sessionId) set[idMember] = sessionId;
  const named = value['sessionFile'];
  if (file !== null && named !== file && (named !== undefined || file !== transcriptFileName(sessionId))) set['sessionFile'] = file;
  if (value['status'] === 'running') Object.assign(set, { status: 'killed', abortedLastRun: true });
  const clear = OF_THE_OTHER.filter((name) => name in value);
  return Object.keys(set).length + clear.length === 0 ? text : patchRawObject(text, { set, clear });
}

/**
 * Rows and entries as a user meets them who is restricted to some agents: where a session works, and
 * where its files stand on the machine, is for administrators of all of it; and sessions of agents that
 * the user does not see are not named.
 */
import { SessionRow } from '@sessions/contracts';
import type { Event } from '@sessions/contracts';
import { isJsonObject, patchRawObject } from '@sessions/domain';
import type { JsonValue } from '@sessions/domain';
import { entryWithShownLinks, hiddenByScopes, withShownLinks } from './shown-links';

/** Directories that a session works in. */
const PLACES = ['spawnedWorkspaceDir', 'spawnedCwd'] as const;
/** Notes of runs that hold prompts and paths of the machine. */
const NOTES = ['skillsSnapshot', 'systemPromptReport'] as const;

/** The row without its directories. */
export function withoutPlaces(row: SessionRow): SessionRow {
  return PLACES.some((name) => row[name] !== undefined) ? { ...row, spawnedWorkspaceDir: undefined, spawnedCwd: undefined } : row;
}

export function encodedForRestricted(encoded: Buffer, scopes: readonly string[]): Buffer {
  const row = SessionRow.decode(encoded);
  const shown = withShownLinks(withoutPlaces(row), hiddenByScopes(scopes));
  return shown === row ? encoded : Buffer.from(SessionRow.encode(shown).finish());
}

/** @param shown how a path is told; empty bytes, for an entry that is too long to be answered, stay empty */
export function shownEntry(whole: Buffer, scopes: readonly string[], shown: (path: string) => string): Buffer {
  const entryJson = entryWithShownLinks(whole, hiddenByScopes(scopes));
  if (entryJson.length === 0) return entryJson;
  const text = entryJson.toString('utf8');
  const entry = JSON.parse(text) as JsonValue;
  if (!isJsonObject(entry)) return entryJson;
  const clear = [...PLACES, ...NOTES].filter((name) => name in entry);
  const { sessionFile } = entry;
  const set = typeof sessionFile === 'string' && shown(sessionFile) !== sessionFile ? { sessionFile: shown(sessionFile) } : {};
  return clear.length === 0 && Object.keys(set).length === 0 ? entryJson : Buffer.from(patchRawObject(text, { set, clear }));
}

/** The event with its row shown so. */
export function eventForRestricted(event: Event, scopes: readonly string[]): Event {
  const { body } = event;
  if ((body?.$case !== 'message' && body?.$case !== 'changed') || body.value.encodedRow === undefined) return event;
  const encodedRow = encodedForRestricted(body.value.encodedRow, scopes);
  if (encodedRow === body.value.encodedRow) return event;
  return body.$case === 'message' ? { ...event, body: { $case: 'message', value: { ...body.value, encodedRow } } } : { ...event, body: { $case: 'changed', value: { ...body.value, encodedRow } } };
}

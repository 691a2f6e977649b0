/** How far a search was given, as text that a client hands back: of each agent a place in its store. */
import { SessionError } from '@sessions/domain';

/** What a store answered as its cursor; undefined: the beginning, null: the end. */
export type Place = string | null | undefined;

/** Longest cursor that is looked at, characters: places of some thousands of agents. */
const CURSOR_CHARS_MAX = 1024 * 1024;

/** Agents at their beginning are left out. */
export function formatSearchCursor(places: readonly (readonly [agentId: string, place: Place])[]): string {
  return Buffer.from(JSON.stringify(Object.fromEntries(places.filter(([, place]) => place !== undefined))), 'utf8').toString('base64url');
}

/**
 * @param agents those of this search. A cursor of one that is gone, or that the caller does not see, is refused:
 * to leave it out, or to begin it anew, would not be the same list.
 * @throws VALIDATION
 */
export function parseSearchCursor(text: string | undefined, agents: readonly string[]): ReadonlyMap<string, Place> {
  if (text === undefined) return new Map();
  const entries = Object.entries(parsed(text));
  const isOurs = entries.every(([agentId, place]) => agents.includes(agentId) && (place === null || typeof place === 'string'));
  if (entries.length === 0 || !isOurs) throw foreignCursor();
  return new Map(entries as [string, Place][]);
}

function parsed(text: string): object {
  if (text.length > CURSOR_CHARS_MAX) throw foreignCursor();
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Not one of ours: refused below like any other text.
  }
  throw foreignCursor();
}

const foreignCursor = (): SessionError => new SessionError('VALIDATION', 'cursor is not one that a search answered');

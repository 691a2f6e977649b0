/** The named sets of session tools (tools §9). */
import { SESSION_TOOL_NAMES, type SessionToolName } from './tool-definitions';

const MINIMAL: readonly SessionToolName[] = ['session_status'];
const PROFILES: ReadonlyMap<string, readonly SessionToolName[]> = new Map([
  ['full', SESSION_TOOL_NAMES],
  ['coding', SESSION_TOOL_NAMES],
  ['messaging', ['sessions_list', 'sessions_history', 'sessions_send', 'session_status']],
  ['minimal', MINIMAL],
]);

const wordOf = (profile: string): string => profile.trim().toLowerCase();

export const isToolProfile = (profile: string): boolean => PROFILES.has(wordOf(profile));

/** @param profile undefined: all tools; one that is not known: as few as there are. */
export function profileTools(profile: string | undefined): readonly SessionToolName[] {
  return profile === undefined ? SESSION_TOOL_NAMES : (PROFILES.get(wordOf(profile)) ?? MINIMAL);
}

/**
 * What a transcript that was brought in under another session id is called in its own header, as its entry
 * holds it: the header stays as it was. It is about one session id, and void once the entry has another.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../json';

export const IMPORTED_TRANSCRIPT_MEMBER = 'importedTranscript';

/** @param idThere of the entry on the other host. One that had been brought in there keeps the name in its header. */
export function importedTranscript(members: JsonObject, idThere: string, sessionId: string): Record<string, JsonValue> {
  return { [IMPORTED_TRANSCRIPT_MEMBER]: { sessionId, headerId: headerIdOf(members, idThere) ?? idThere } };
}

/** The session id in the header of an entry's transcript, where it is known to be another; undefined: the entry's own. */
export function headerIdOf(members: JsonObject, sessionId: string): string | undefined {
  const imported = members[IMPORTED_TRANSCRIPT_MEMBER];
  if (!isJsonObject(imported) || imported['sessionId'] !== sessionId) return undefined;
  return typeof imported['headerId'] === 'string' ? imported['headerId'] : undefined;
}

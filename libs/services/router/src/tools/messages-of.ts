import type { TranscriptRecord } from '@sessions/contracts';
import { isJsonObject, withBoundedDepth } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';

/** The chat messages of transcript lines; lines without one are passed over. */
export function messagesOf(records: readonly TranscriptRecord[]): readonly JsonObject[] {
  return records.flatMap(({ lineJson }) => {
    try {
      const line = withBoundedDepth(JSON.parse(lineJson.toString('utf8')) as JsonValue);
      return isJsonObject(line) && isJsonObject(line.message) ? [line.message] : [];
    } catch {
      // A line that cannot be read is no message.
      return [];
    }
  });
}

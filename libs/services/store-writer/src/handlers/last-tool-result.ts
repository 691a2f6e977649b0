/** What the last tool of a session answered: it stands for the answer of a run that wrote no text. */
import { isJsonObject, messageText, type JsonObject } from '@sessions/domain';
import type { AgentStore } from '@sessions/store';

/** Newest lines that are looked at. */
const LINES_MAX = 20;
/** Longest text that is passed on. */
const CHARS_MAX = 64_000;

export async function lastToolResult(store: AgentStore, key: string): Promise<string | undefined> {
  const page = await store.history({ key, limit: LINES_MAX, includeTools: true });
  const line = page?.records.findLast(({ role }) => role === 'toolResult' || role === 'user');
  if (line?.role !== 'toolResult') return undefined;
  const record: unknown = JSON.parse(line.line);
  const message = isJsonObject(record as JsonObject) ? (record as JsonObject)['message'] : undefined;
  const text = isJsonObject(message) ? messageText(message) : '';
  return text === '' ? undefined : text.slice(0, CHARS_MAX);
}

/** The rows of a transcript as trajectory events: what was said, called, answered and decided. */
import { isJsonObject, parseTranscriptLine, toolCallsOf } from '@sessions/domain';
import type { JsonObject, TranscriptLine } from '@sessions/domain';

export interface TranscriptEvent {
  readonly type: string;
  readonly atMs: number | undefined;
  readonly entryId: string | undefined;
  readonly data: JsonObject;
}

const OF_LINES: Readonly<Record<string, string>> = {
  compaction: 'session.compaction',
  branch_summary: 'session.branch_summary',
  custom: 'session.custom',
  custom_message: 'session.custom_message',
  thinking_level_change: 'session.thinking_level_change',
  model_change: 'session.model_change',
  label: 'session.label',
  session_info: 'session.info',
};
const OF_ROLES: Readonly<Record<string, string>> = { user: 'user.message', assistant: 'assistant.message', toolResult: 'tool.result', custom: 'session.custom_message' };

/** None for lines that are no event. */
export function transcriptEvents(text: string, number: number): readonly TranscriptEvent[] {
  const line = parseTranscriptLine(text, number);
  if (!line.ok) return [];
  const { atMs, id: entryId, message } = line;
  const event = (type: string, data: JsonObject): TranscriptEvent => ({ type, atMs, entryId, data });
  if (message === undefined) return OF_LINES[line.type] === undefined ? [] : [event(OF_LINES[line.type] ?? '', line.value)];
  const type = OF_ROLES[line.role ?? ''];
  if (type === undefined) return [];
  const calls = line.role === 'assistant' ? toolCallsOf(message).map((call) => event('tool.call', { toolCallId: call.id, name: call.name, arguments: argumentsOf(line, call.id) })) : [];
  return [event(type, { message }), ...calls];
}

function argumentsOf({ message }: TranscriptLine, id: string): JsonObject {
  const content = message?.['content'];
  const block = Array.isArray(content) ? content.find((each) => isJsonObject(each) && each['type'] === 'toolCall' && each['id'] === id) : undefined;
  const given = isJsonObject(block) ? block['arguments'] : undefined;
  return isJsonObject(given) ? given : {};
}

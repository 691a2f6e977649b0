/**
 * One trajectory event as a line. Never a prompt, an argument or a result: of what an event holds
 * only names and status words are shown, and of those only what looks like one.
 */
import type { TrajectoryEvent } from '@sessions/store';
import { isJsonObject } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';
import { keyText } from './key-text';
import { visibleText } from './visible-text';

const TYPE_COLUMNS = 16;
const KEY_COLUMNS = 30;
/** A name or a status is one short word. */
const WORD = /^[\w.:/@-]{1,64}$/u;
const REDACTED = '{...redacted...}';
const FAILURES: ReadonlySet<string> = new Set(['timeout', 'aborted', 'error']);

export function renderEvent(event: TrajectoryEvent, sessionKey: string): string {
  const time = new Date(event.atMs).toISOString().slice(11, 19);
  return `${time} ${visibleText(wordOf(event.type) ?? '?').padEnd(TYPE_COLUMNS)} ${keyText(sessionKey).padEnd(KEY_COLUMNS)} ${previewOf(event)}`.trimEnd();
}

export function eventDocument(event: TrajectoryEvent, sessionKey: string): Readonly<Record<string, unknown>> {
  return { ts: new Date(event.atMs).toISOString(), type: wordOf(event.type) ?? '', sessionKey, sessionId: event.sessionId, preview: previewOf(event) };
}

export function previewOf({ type, line }: TrajectoryEvent): string {
  const data = isJsonObject(line['data']) ? line['data'] : {};
  const tool = wordOf(data['name'] ?? data['toolName']) ?? 'tool';
  switch (type) {
    case 'tool.call':
      return `${tool} ${REDACTED}`;
    case 'tool.result':
      return `${tool} ${resultStatus(data)}`;
    case 'tool.timeout':
      return `${tool} timeout`;
    case 'model.completed':
      return [[wordOf(line['provider']), wordOf(line['modelId'])].filter((part) => part !== undefined).join('/'), modelStatus(data)].filter((part) => part !== '').join(' ');
    case 'context.compiled':
      return contextPreview(data);
    case 'prompt.submitted':
      return '';
    case 'prompt.skipped':
      return `prompt skipped${wordOf(data['reason']) === undefined ? '' : `: ${wordOf(data['reason']) ?? ''}`}`;
    case 'session.ended':
      return wordOf(data['status']) ?? 'ended';
    case 'trace.truncated':
      return 'trajectory truncated';
    default:
      return wordOf(data['status']) ?? wordOf(data['name']) ?? '';
  }
}

function resultStatus(data: JsonObject): string {
  const status = wordOf(data['status']);
  if (status !== undefined) return status;
  if (data['isError'] === true || data['ok'] === false || data['success'] === false) return 'error';
  return data['ok'] === true || data['isError'] === false || data['success'] === true ? 'ok' : 'done';
}

function modelStatus(data: JsonObject): string {
  const words = [data['status'], data['stopReason'], data['outcome']].filter((word): word is string => typeof word === 'string');
  return words.find((word) => FAILURES.has(word)) ?? 'done';
}

function contextPreview({ tools, toolCount }: JsonObject): string {
  const count = Array.isArray(tools) ? tools.length : typeof toolCount === 'number' && Number.isSafeInteger(toolCount) ? toolCount : undefined;
  return count === undefined ? 'context compiled' : `context compiled (${String(count)} tools)`;
}

function wordOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && WORD.test(value) ? value : undefined;
}

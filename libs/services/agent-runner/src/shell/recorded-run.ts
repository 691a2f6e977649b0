/** What a branch tells of a run that is under way: its own lines, an answer that is there already. Pure. */
import { TranscriptRecord } from '@sessions/contracts';
import { blocksOf, isJsonObject, toolCallsOf, type JsonObject, type TranscriptLine } from '@sessions/domain';
import type { ReadBranch } from '../read-branch';
import { FLUSH_LINE_TYPE } from './flush-memory';

/** JSON text of a branch that travels with a request. */
const BRANCH_BYTES_INLINE = 512 * 1024;

/** What the run has written so far, up to where it was asked for notes. */
export function linesAfter({ lines }: ReadBranch, messageId: string): readonly TranscriptLine[] {
  const at = lines.findIndex(({ line }) => line.id === messageId);
  if (at === -1) return [];
  const own = lines.slice(at + 1).map(({ line }) => line);
  const flush = own.findIndex(isFlushLine);
  return flush === -1 ? own : own.slice(0, flush);
}

/** True when an earlier attempt asked for notes. */
export function hasFlushLineAfter({ lines }: ReadBranch, messageId: string): boolean {
  const at = lines.findIndex(({ line }) => line.id === messageId);
  return at !== -1 && lines.slice(at + 1).some(({ line }) => isFlushLine(line));
}

function isFlushLine({ type, value }: TranscriptLine): boolean {
  return type === 'custom_message' && value['customType'] === FLUSH_LINE_TYPE;
}

/** The answer that an earlier attempt wrote before it was lost; undefined: there is none yet. */
export function recordedAnswer(own: readonly TranscriptLine[]): string | undefined {
  const last = own.findLast(({ role }) => role === 'assistant' || role === 'user' || role === 'toolResult');
  const message: JsonObject | undefined = last?.message;
  if (last?.role !== 'assistant' || message === undefined || toolCallsOf(message).length > 0) return undefined;
  if (message['stopReason'] !== 'stop' && message['stopReason'] !== 'length') return undefined;
  return blocksOf(message).flatMap((block) => (isJsonObject(block) && block['type'] === 'text' && typeof block['text'] === 'string' ? [block['text']] : [])).join('');
}

/** Empty when it is larger than a message: the runtime reads it then. */
export function inlineBranch({ lines }: ReadBranch): TranscriptRecord[] {
  const bytes = lines.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  if (bytes > BRANCH_BYTES_INLINE) return [];
  return lines.map(({ line, text }, at) => TranscriptRecord.create({ recordId: line.id, lineNumber: at + 1, lineJson: Buffer.from(text, 'utf8'), type: line.type, role: line.role }));
}

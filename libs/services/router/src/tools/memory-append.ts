/**
 * `memory_append`: notes of a day in the workspace of the calling agent. No session tool: no list has
 * it, no door for clients; a runtime is offered it in the silent turn before a compaction.
 */
import { AppendNotesRequest } from '@sessions/contracts';
import { parseMemoryNote } from '@sessions/domain';
import { argumentsOf, type ToolAnswer, type ToolCall } from './tool-call';

export async function memoryAppend({ deps, caller: { agentId }, context }: ToolCall, raw: unknown): Promise<ToolAnswer> {
  const { day, text } = argumentsOf(parseMemoryNote(raw, (one) => Buffer.byteLength(one)));
  const { relPath, bytes } = await deps.stores.mutate('appendNotes', AppendNotesRequest.create({ agentId, day, text }), context, { part: 'notes' });
  return { details: { status: 'ok', path: relPath, bytes } };
}

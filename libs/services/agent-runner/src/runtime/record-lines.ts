/** The lines that a turn adds to a transcript, in its format. Parents are the owner's to fill in. */
import { randomBytes } from 'node:crypto';
import type { JsonObject, JsonValue } from '@sessions/domain';
import type { ChatUsage, StopReason } from '@sessions/llm';

/** What a transcript calls the end of an answer. */
export type RecordedStop = 'stop' | 'length' | 'toolUse' | 'error' | 'aborted';

const RECORDED: Readonly<Record<StopReason, RecordedStop>> = { stop: 'stop', length: 'length', 'tool-use': 'toolUse', refused: 'error', other: 'stop' };

export function recordedStop(reason: StopReason): RecordedStop {
  return RECORDED[reason];
}

/** Eight hexadecimal digits. */
export function newLineId(): string {
  return randomBytes(4).toString('hex');
}

export interface AssistantFields {
  readonly id: string;
  readonly nowMs: number;
  readonly content: readonly JsonObject[];
  readonly api: string;
  readonly provider: string;
  readonly model: string;
  readonly usage: ChatUsage | undefined;
  readonly stopReason: RecordedStop;
  readonly errorMessage?: string;
  /** Of a run that was ended: who did it, and the key under which clients know the partial answer. */
  readonly abort?: { readonly runId: string; readonly origin: string };
}

export function assistantLine({ id, nowMs, content, api, provider, model, usage, stopReason, errorMessage, abort }: AssistantFields): string {
  return messageLine(id, nowMs, {
    role: 'assistant',
    content,
    api,
    provider,
    model,
    ...(usage === undefined ? {} : { usage: usageMembers(usage) }),
    stopReason,
    timestamp: nowMs,
    ...(errorMessage === undefined ? {} : { errorMessage }),
    ...(abort === undefined ? {} : { idempotencyKey: `${abort.runId}:assistant`, openclawAbort: { aborted: true, origin: abort.origin, runId: abort.runId } }),
  });
}

export function toolResultLine({ id, nowMs, callId, name, text, isError }: { readonly id: string; readonly nowMs: number; readonly callId: string; readonly name: string; readonly text: string; readonly isError: boolean }): string {
  return messageLine(id, nowMs, { role: 'toolResult', toolCallId: callId, toolName: name, content: [{ type: 'text', text }], isError, timestamp: nowMs });
}

/** A line around a message that is there already. */
export function messageLine(id: string, nowMs: number, message: JsonObject): string {
  return JSON.stringify({ type: 'message', id, timestamp: new Date(nowMs).toISOString(), message });
}

/** A count that the provider does not say has no member, and then there is no sum. */
export function usageMembers({ inputTokens: input, outputTokens: output, cacheReadTokens: cacheRead, cacheWriteTokens: cacheWrite }: ChatUsage): { readonly [name: string]: JsonValue } {
  const isCounted = input !== undefined && output !== undefined;
  return { ...(input !== undefined && { input }), ...(output !== undefined && { output }), cacheRead, cacheWrite, ...(isCounted && { totalTokens: input + output + cacheRead + cacheWrite }) };
}

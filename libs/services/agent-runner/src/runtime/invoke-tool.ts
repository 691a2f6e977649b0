/**
 * Tools of a turn, called through the router under the identity of the session. Whatever goes wrong
 * is a result that the model can read, never an error of the turn. A call keeps its idempotency key
 * over every try and every attempt at the run, so a router that restarts does nothing twice.
 * Bounds: the tool's own wait and TOOL_SLACK_MS; RESULT_CHARS_MAX of a result, the rest is cut.
 */
import { randomUUID } from 'node:crypto';
import { InvokeToolRequest, RouterServiceService, type ReplyRoute } from '@sessions/contracts';
import { createClient, subjectToken, type Bus, type Subjects } from '@sessions/bus';
import { SessionError, isJsonObject, type JsonObject } from '@sessions/domain';
import { UNREADABLE_ARGUMENTS } from '@sessions/llm';
import { persist } from '../persist';

/** What a call may take beyond the wait that it asks for, a restart of the router included. Milliseconds. */
export const TOOL_SLACK_MS = 45_000;
const WAIT_SECONDS_DEFAULT = 30;
const WAIT_SECONDS_MAX = 600;
const MS_PER_SECOND = 1_000;
/** Characters of a result that a model is shown and a transcript keeps. */
export const RESULT_CHARS_MAX = 100_000;

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: JsonObject;
}

export interface ToolAnswer {
  readonly text: string;
  readonly ok: boolean;
  readonly endsTurn: boolean;
}

export interface ToolCaller {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly sessionKey: string;
  readonly runId: string;
  /** The place of the run in a chain of messages between sessions. */
  readonly chain: Pick<InvokeToolRequest, 'hops' | 'traceId' | 'traceAgentId' | 'costUsd'>;
  readonly replyRoute: ReplyRoute | undefined;
  /** Names that the run may call. */
  readonly names: ReadonlySet<string>;
}

/** @param place of the call in the transcript: its line and its number there; with the run it names the call for good. */
export type InvokeTool = (call: ToolCall, place: { readonly lineId: string; readonly index: number }, signal: AbortSignal) => Promise<ToolAnswer>;

/** @throws the signal's reason only */
export function createToolInvoker({ bus, subjects, sessionKey, runId, chain, replyRoute, names }: ToolCaller): InvokeTool {
  const caller = `agent:${sessionKey}`;
  const router = createClient(bus, RouterServiceService, { caller, subject: (method) => subjects.router(method) });
  return async (call, { lineId, index }, signal) => {
    if (!names.has(call.name)) return refused(`Tool not available: ${call.name}`);
    if (UNREADABLE_ARGUMENTS in call.arguments) return refused('the arguments are not one whole JSON object; nothing was done');
    const deadlineMs = waitMs(call.arguments) + TOOL_SLACK_MS;
    const deadlineAtMs = bus.clock.nowMs() + deadlineMs;
    const idempotencyKey = `run-tool:${subjectToken(runId)}:${subjectToken(lineId)}:${String(index)}`;
    const meta = { caller, scopes: [], requestId: randomUUID(), idempotencyKey: undefined, traceparent: undefined, tracestate: undefined, hops: chain.hops };
    const request = InvokeToolRequest.create({ name: call.name, argumentsJson: Buffer.from(JSON.stringify(call.arguments)), sessionKey, runId, ...chain, ...(replyRoute === undefined ? {} : { replyRoute }) });
    try {
      const answer = await persist(() => router.invokeTool(request, { context: meta, idempotencyKey, signal, timeoutMs: Math.max(1, deadlineAtMs - bus.clock.nowMs()) }), { clock: bus.clock, deadlineAtMs, signal });
      const text = Buffer.from(answer.resultJson).toString('utf8');
      return { text: bounded(text), ok: !isRefusal(text), endsTurn: answer.endsTurn };
    } catch (error) {
      if (signal.aborted) throw error;
      return refused(error instanceof SessionError ? error.message : 'the tool failed');
    }
  };
}

/** How long the tool itself waits: what it is told, within what the tools allow. */
function waitMs({ timeoutSeconds }: JsonObject): number {
  const seconds = typeof timeoutSeconds === 'number' && timeoutSeconds >= 0 ? Math.min(timeoutSeconds, WAIT_SECONDS_MAX) : WAIT_SECONDS_DEFAULT;
  return seconds * MS_PER_SECOND;
}

function refused(error: string): ToolAnswer {
  return { text: JSON.stringify({ status: 'error', error }), ok: false, endsTurn: false };
}

function isRefusal(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) && (value['status'] === 'error' || value['status'] === 'forbidden');
  } catch {
    return false;
  }
}

function bounded(text: string): string {
  return text.length <= RESULT_CHARS_MAX ? text : `${text.slice(0, RESULT_CHARS_MAX).replace(/[\ud800-\udbff]$/u, '')}\n[cut: the result has ${String(text.length)} characters]`;
}

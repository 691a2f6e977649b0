/**
 * A tool for a client that acts for a session: the same at the WebSocket and over HTTP. Tools by which
 * a client would speak as an agent are left out, unless the configuration lets them in.
 */
import { InvokeToolRequest } from '@sessions/contracts';
import { isJsonObject } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { isDeniedToClients, runTool } from '../handlers/invoke-tool';

/** Time for a tool that waits for another session's answer, milliseconds. */
export const TOOL_DEADLINE_MS = 610_000;

export interface ClientToolCall {
  readonly tool: string;
  readonly args?: unknown;
  /** For tools that have one: the same as `action` among the arguments. */
  readonly action?: string | undefined;
  readonly sessionKey?: string | undefined;
}

/** What a client is answered: as content for models, and as the details themselves. */
export interface ClientToolResult {
  readonly content: readonly { readonly type: 'text'; readonly text: string }[];
  readonly details: JsonObject;
}

export type ClientToolOutcome =
  | { readonly kind: 'result'; readonly result: ClientToolResult }
  | { readonly kind: 'unavailable' | 'failed' }
  | { readonly kind: 'invalid'; readonly message: string };

export async function callTool(deps: HandlerDeps, { tool, args, action, sessionKey }: ClientToolCall, context: CallContext): Promise<ClientToolOutcome> {
  if (isDeniedToClients(deps, tool)) return { kind: 'unavailable' };
  if (args !== undefined && args !== null && !isJsonObject(args)) return { kind: 'invalid', message: 'args must be an object' };
  const merged = { ...(action !== undefined && { action }), ...((args ?? {}) as { readonly [name: string]: JsonValue }) };
  const request = InvokeToolRequest.create({ name: tool, argumentsJson: Buffer.from(JSON.stringify(merged)), sessionKey });
  const outcome = await runTool(deps, request, { ...context, deadlineAtMs: deps.bus.clock.nowMs() + TOOL_DEADLINE_MS });
  if (outcome.kind !== 'answer') return outcome;
  const { details, text } = outcome.answer;
  return { kind: 'result', result: { content: [{ type: 'text', text: text ?? JSON.stringify(details, undefined, 2) }], details } };
}

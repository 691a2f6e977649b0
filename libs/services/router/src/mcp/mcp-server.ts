/**
 * The session tools as a server of the Model Context Protocol: what there is, and a call. How messages
 * get here is the transport's business.
 */
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { CallToolRequestSchema, ErrorCode, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { toSessionError } from '@sessions/bus';
import type { JsonObject } from '@sessions/domain';

/** Calls of one session under way at a time; one more is refused. */
export const CALLS_MAX = 16;
/** Member of a call's `_meta`: the same call made again does nothing twice. */
export const IDEMPOTENCY_META = 'openclaw/idempotencyKey';
const KEY_LENGTH_MAX = 128;

export interface McpTool {
  readonly name: string;
  readonly description: string;
  /** JSON schema of the arguments. */
  readonly parameters: JsonObject;
  readonly mutates: boolean;
}

/** What became of a call. */
export type McpOutcome =
  | { readonly kind: 'answer'; readonly details: JsonObject; readonly text?: string | undefined }
  | { readonly kind: 'unavailable' | 'failed' }
  | { readonly kind: 'invalid'; readonly message: string };

export interface McpCall {
  readonly name: string;
  readonly args: JsonObject;
  /** Aborts when the client cancels the call, or its session ends. */
  readonly signal: AbortSignal;
  readonly idempotencyKey: string;
  /** Whatever the transport passed beside the message. */
  readonly extra: unknown;
}

export interface McpTools {
  list(extra: unknown): Promise<readonly McpTool[]>;
  call(call: McpCall): Promise<McpOutcome>;
}

export interface McpServerOptions {
  readonly version: string;
  /** Of the session, in the keys of its calls. */
  readonly sessionName: () => string;
  readonly tools: McpTools;
  /** Told when a call begins (1) and ends (-1). */
  readonly onCall?: (change: 1 | -1) => void;
}

const INSTRUCTIONS =
  'Conversations of an AI-agent gateway: list sessions, read them, send to them, start sub-agents. You act for one session ("current"); which others you see is up to the gateway.';

export function createMcpServer({ version, sessionName, tools, onCall }: McpServerOptions): Server {
  const server = new Server({ name: 'openclaw-sessions', title: 'OpenClaw sessions', version }, { capabilities: { tools: {} }, instructions: INSTRUCTIONS });
  let underWay = 0;
  server.setRequestHandler(ListToolsRequestSchema, async (_request, { authInfo }) => {
    const listed = await tools.list(authInfo?.extra).catch((thrown: unknown) => {
      // The codes of our own errors mean nothing to a client of this protocol.
      const error = toSessionError(thrown);
      throw error.reason === 'INTERNAL' ? rpcError(ErrorCode.InternalError, 'internal error') : rpcError(ErrorCode.InvalidParams, error.message);
    });
    return { tools: listed.map(({ name, description, parameters, mutates }) => ({ name, description, inputSchema: { ...parameters, type: 'object' as const }, annotations: { readOnlyHint: !mutates, openWorldHint: false } })) };
  });
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal, requestId, authInfo }) => {
    if (underWay >= CALLS_MAX) return asError(`more than ${CALLS_MAX} calls are under way; wait for one to end`);
    const given = params._meta?.[IDEMPOTENCY_META];
    const idempotencyKey = typeof given === 'string' && given !== '' && given.length <= KEY_LENGTH_MAX ? `mcp:${given}` : `mcp:${sessionName()}:${requestId}`;
    underWay += 1;
    onCall?.(1);
    try {
      const outcome = await tools.call({ name: params.name, args: (params.arguments ?? {}) as JsonObject, signal, idempotencyKey, extra: authInfo?.extra });
      if (outcome.kind === 'unavailable') throw rpcError(ErrorCode.InvalidParams, `Tool not available: ${params.name.slice(0, 100)}`);
      return resultOf(outcome);
    } finally {
      underWay -= 1;
      onCall?.(-1);
    }
  });
  return server;
}

/** Refusals and wrong arguments are results that a model can read and mend; only the caller is told by an error. */
function resultOf(outcome: McpOutcome): CallToolResult {
  if (outcome.kind === 'invalid') return asError(outcome.message);
  if (outcome.kind !== 'answer') return asError('tool execution failed');
  const { details, text } = outcome;
  const isError = details.status === 'error' || details.status === 'forbidden';
  return { content: [{ type: 'text', text: text ?? JSON.stringify(details, undefined, 2) }], structuredContent: details, ...(isError && { isError }) };
}

/** `McpError` is what a client makes of an answer: here it would say its prefix twice. */
const rpcError = (code: ErrorCode, message: string): Error => Object.assign(new Error(message), { code });

const asError = (text: string): CallToolResult => ({ content: [{ type: 'text', text }], isError: true });

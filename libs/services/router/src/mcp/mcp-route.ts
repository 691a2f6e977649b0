/**
 * `/mcp`: the session tools for MCP clients over streamable HTTP. Authentication is that of every
 * route. A client acts for the session that it names (`?sessionKey=`, or the header
 * `x-openclaw-session-key`), and sees of the others what that session's agent would see.
 */
import { InvokeToolRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import type { HttpCall, HttpRoute } from '../edge/http-server';
import { isSameOrigin } from '../auth/credentials';
import { runTool, toolsOfSession } from '../handlers/invoke-tool';
import { withTime } from '../handlers/with-time';
import { TOOL_DEADLINE_MS } from '../tools/tool-door';
import type { McpOwner, McpSessions } from './mcp-sessions';
import type { McpTools } from './mcp-server';

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;
const PATTERN = /^\/mcp$/;

export function createMcpRoutes(sessions: McpSessions): readonly HttpRoute[] {
  const serve = (call: HttpCall): Promise<void> => handle(sessions, call);
  return [
    { method: 'POST', path: '/mcp', pattern: PATTERN, serve },
    { method: 'DELETE', path: '/mcp', pattern: PATTERN, serve },
  ];
}

async function handle(sessions: McpSessions, { request, response, url, context, principalId }: HttpCall): Promise<void> {
  assertOrigin(request.headers);
  const header = request.headers['x-openclaw-session-key'];
  const sessionKey = url.searchParams.get('sessionKey') ?? (typeof header === 'string' ? header : undefined);
  await sessions.handle({ request, response, owner: { principalId: principalId(), scopes: context.scopes, sessionKey }, extra: { context } });
}

/**
 * A page in somebody's browser must not reach the tools: not from another site, and not by a name of
 * its own that it points at this machine.
 * @throws SCOPE_MISSING
 */
function assertOrigin({ origin, host, authorization }: HttpCall['request']['headers']): void {
  if (origin === undefined) return;
  if (isSameOrigin(origin, host) && (authorization !== undefined || LOOPBACK.test(host ?? ''))) return;
  throw new SessionError('SCOPE_MISSING', 'origin not allowed');
}

/** The tools of one client's session. */
export function mcpTools(deps: HandlerDeps, { sessionKey }: McpOwner): McpTools {
  return {
    list: (extra) => toolsOfSession(deps, sessionKey, contextOf(extra)),
    async call({ name, args, signal, idempotencyKey, extra }) {
      const context = withTime({ ...contextOf(extra), idempotencyKey, signal }, deps.bus.clock.nowMs(), TOOL_DEADLINE_MS);
      const request = InvokeToolRequest.create({ name, argumentsJson: Buffer.from(JSON.stringify(args)), sessionKey });
      const outcome = await runTool(deps, request, context);
      return outcome.kind === 'answer' ? { kind: 'answer', details: outcome.answer.details, text: outcome.answer.text } : outcome;
    },
  };
}

function contextOf(extra: unknown): CallContext {
  const context = (extra as { readonly context?: CallContext } | undefined)?.context;
  if (context === undefined) throw new SessionError('INTERNAL', 'an MCP message came without its caller');
  return context;
}

/** `POST /tools/invoke`: a session tool over HTTP, with the answers that existing clients know. */
import { SessionError, isJsonObject } from '@sessions/domain';
import type { HandlerDeps } from '../deps';
import { callTool } from '../tools/tool-door';
import { BODY_BYTES_MAX, readJsonBody, sendJson } from './http-answer';
import type { HttpCall, HttpRoute } from './http-server';

/** Characters of a tool's name that are repeated to the client. */
const TOOL_NAME_SHOWN_MAX = 100;

export function createToolRoute(deps: HandlerDeps): HttpRoute {
  return { method: 'POST', path: '/tools/invoke', pattern: /^\/tools\/invoke$/, serve: (call) => postTool(deps, call) };
}

async function postTool(deps: HandlerDeps, { request, response, context }: HttpCall): Promise<void> {
  const body = await readJsonBody(request, BODY_BYTES_MAX).catch((error: unknown) => {
    if (error instanceof SessionError && error.reason === 'VALIDATION') return undefined;
    throw error;
  });
  if (body === undefined) return sendJson(response, 400, { error: { message: 'the body is not valid JSON', type: 'invalid_request_error' } });
  const refuse = (status: number, type: string, message: string): void => sendJson(response, status, { ok: false, error: { type, message } });
  const { tool, args, action, sessionKey }: Readonly<Record<string, unknown>> = isJsonObject(body) ? body : {};
  if (typeof tool !== 'string' || tool.trim() === '') return refuse(400, 'invalid_request', 'tools.invoke requires a tool');
  for (const [name, value] of [['action', action], ['sessionKey', sessionKey]] as const) {
    if (value !== undefined && typeof value !== 'string') return refuse(400, 'invalid_request', `${name} must be a string`);
  }
  const name = tool.trim();
  const outcome = await callTool(deps, { tool: name, args, ...(typeof action === 'string' && { action }), ...(typeof sessionKey === 'string' && { sessionKey }) }, context);
  switch (outcome.kind) {
    case 'result':
      return sendJson(response, 200, { ok: true, result: outcome.result });
    case 'unavailable':
      return refuse(404, 'not_found', `Tool not available: ${name.slice(0, TOOL_NAME_SHOWN_MAX)}`);
    case 'invalid':
      return refuse(400, 'invalid_request', outcome.message);
    case 'failed':
      return refuse(500, 'tool_error', 'tool execution failed');
  }
}

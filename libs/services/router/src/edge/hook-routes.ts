/**
 * Webhooks: `POST <hooks.path>/agent` puts a message into a session of its own or the one it may
 * name; `POST <hooks.path>/wake` leaves a note in the main session. Both want the hooks' own token.
 */
import { configuredAgents, isJsonObject, mainSessionKey, SessionError } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { idempotencyKeyOf } from '@sessions/bus';
import type { CallContext } from '@sessions/bus';
import type { Guard } from '../auth/guard';
import { SCOPE } from '../auth/scopes';
import type { HandlerDeps } from '../deps';
import { deliverTo } from '../handlers/deliver-to';
import { submitEnvelope } from '../handlers/submit-message';
import { readJsonBody, sendJson, sendText } from './http-answer';
import type { HttpCall, HttpRoute } from './http-server';

export interface HookDeps extends HandlerDeps {
  readonly guard: Guard;
}

const WAKE_MODES: ReadonlySet<unknown> = new Set(['now', 'next-heartbeat']);
/** Members of a hook's body that an envelope has too. */
const PASSED = ['agentId', 'sessionKey', 'idempotencyKey', 'deliver'] as const;

export function createHookRoutes(deps: HookDeps): readonly HttpRoute[] {
  const base = deps.config().hooks.path.replace(/\/+$/, '');
  const route = (name: string, serve: (call: HttpCall, context: CallContext) => Promise<void>): HttpRoute => ({
    method: 'POST',
    path: `/hooks/${name}`,
    pattern: new RegExp(`^${base.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}/${name}$`),
    isOwnGuard: true,
    async serve(call) {
      if (admitted(deps, call, `POST /hooks/${name}`)) await serve(call, { ...call.context, caller: 'client:hook', scopes: [SCOPE.write] });
    },
  });
  return [route('agent', (call, context) => postAgent(deps, call, context)), route('wake', (call, context) => postWake(deps, call, context))];
}

/** Answers those who are not. @throws RATE_LIMITED */
function admitted({ config, guard }: HookDeps, { request, response }: HttpCall, operation: string): boolean {
  const { enabled, token } = config().hooks;
  if (!enabled) {
    sendText(response, 404, 'Not Found');
    return false;
  }
  try {
    guard.admitWith({ door: 'http', operation, address: request.socket.remoteAddress, headers: request.headers }, token);
    return true;
  } catch (error) {
    if (!(error instanceof SessionError) || error.reason !== 'UNAUTHENTICATED') throw error;
    sendText(response, 401, 'Unauthorized');
    return false;
  }
}

async function postAgent(deps: HookDeps, { request, response }: HttpCall, context: CallContext): Promise<void> {
  const body = await objectOf(request);
  const passed = Object.fromEntries(PASSED.flatMap((name) => (body[name] === undefined ? [] : [[name, body[name]]])));
  const envelope = { origin: { kind: 'hook' }, text: textOf(body, 'message'), hook: typeof body.name === 'string' ? { name: body.name } : {}, ...passed };
  const answer = await submitEnvelope(deps, envelope, undefined, context);
  sendJson(response, 200, { ok: true, runId: answer.runId ?? idempotencyKeyOf(context), sessionKey: answer.sessionKey });
}

async function postWake(deps: HookDeps, { request, response }: HttpCall, context: CallContext): Promise<void> {
  const body = await objectOf(request);
  const mode = body.mode ?? 'now';
  if (!WAKE_MODES.has(mode)) throw new SessionError('VALIDATION', 'mode must be "now" or "next-heartbeat"');
  const { defaultAgentId } = configuredAgents(deps.config());
  const key = mainSessionKey(defaultAgentId, deps.config().session.scope);
  await deliverTo(deps, { agentId: defaultAgentId, key, text: textOf(body, 'text'), attachments: [], message: { bookkeeping: true } }, context);
  sendJson(response, 200, { ok: true, mode });
}

async function objectOf(request: HttpCall['request']): Promise<JsonObject> {
  const body = await readJsonBody(request);
  if (!isJsonObject(body)) throw new SessionError('VALIDATION', 'the body must be an object');
  return body;
}

function textOf(body: JsonObject, name: string): string {
  const value = body[name];
  if (typeof value !== 'string' || value.trim() === '') throw new SessionError('VALIDATION', `${name} required`);
  return value;
}

import { ResolveSessionRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { flagOf, textOf } from '../method';
import type { GatewayMethod } from '../method';

const SELECTORS = ['key', 'sessionId', 'label'] as const;

/** `sessions.resolve`: exactly one of key, session id and label to a canonical key. */
export const sessionsResolve: GatewayMethod = async (deps, { params, context }) => {
  const given = SELECTORS.filter((name) => (textOf(params, name) ?? '').trim() !== '');
  const [selector] = given;
  if (selector === undefined) throw new SessionError('VALIDATION', 'Either key, sessionId, or label is required');
  if (given.length > 1) throw new SessionError('VALIDATION', 'Provide either key, sessionId, or label (not multiple)');
  const { key } = await deps.handlers.resolveSession(
    ResolveSessionRequest.create({
      by: { $case: selector, value: textOf(params, selector) ?? '' },
      agentId: textOf(params, 'agentId'),
      spawnedBy: textOf(params, 'spawnedBy'),
      includeGlobal: flagOf(params, 'includeGlobal'),
      includeUnknown: flagOf(params, 'includeUnknown'),
      allowMissing: flagOf(params, 'allowMissing'),
    }),
    context,
  );
  return { payload: key === undefined ? { ok: false } : { ok: true, key } };
};

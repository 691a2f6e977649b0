/** ResolveSession: a key, session id or label to the canonical key of the row that has it. */
import { ResolveKeyRequest, ResolveSessionResponse } from '@sessions/contracts';
import type { ResolveSessionRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { hiddenByScopes } from '../auth/shown-links';
import { notVisible } from '../auth/sight';
import type { HandlerDeps } from '../deps';
import { addressOfKey, agentsToRead, spelledOut } from './resolve-address';

interface Match {
  readonly agentId: string;
  readonly key: string;
  readonly sessionId: string | undefined;
}

/**
 * @throws SESSION_NOT_FOUND unless `allowMissing`; KEY_AMBIGUOUS when several agents, but not the
 * default one, have it; VALIDATION without anything to look for
 */
export async function resolveSession(
  deps: HandlerDeps,
  request: ResolveSessionRequest,
  context: CallContext,
): Promise<ResolveSessionResponse> {
  const { by } = request;
  if (by === undefined) throw new SessionError('VALIDATION', 'Either key, sessionId, or label is required');
  const matches = await findMatches(deps, request, by, context);
  const own = matches.find((match) => match.isFirst) ?? matches[0];
  if (own === undefined) {
    if (request.allowMissing) return ResolveSessionResponse.create({});
    const what = by.$case === 'label' ? `No session found with label: ${by.value}` : `No session found: ${by.value}`;
    throw new SessionError('SESSION_NOT_FOUND', what);
  }
  if (matches.length > 1 && !own.isFirst) {
    throw new SessionError('KEY_AMBIGUOUS', `Multiple sessions found: ${matches.map(({ key }) => key).join(', ')}`);
  }
  return ResolveSessionResponse.create({ key: own.key, agentId: own.agentId, sessionId: own.sessionId });
}

async function findMatches(
  deps: HandlerDeps,
  request: ResolveSessionRequest,
  by: NonNullable<ResolveSessionRequest['by']>,
  context: CallContext,
): Promise<readonly (Match & { readonly isFirst: boolean })[]> {
  if (request.spawnedBy !== undefined && hiddenByScopes(context.scopes)(request.spawnedBy)) throw notVisible();
  const address = by.$case === 'key' ? addressOfKey(deps, { key: by.value, agentId: request.agentId }, context) : undefined;
  const agents = await agentsToRead(
    deps,
    { agentId: address?.agentId ?? request.agentId, all: true, discover: true },
    context,
  );
  const lookups = address === undefined ? [by] : [
    // In its own letters first: a row keeps those in which it was written.
    { $case: 'key' as const, value: spelledOut({ key: by.value }, address) },
    { $case: 'key' as const, value: address.key }, { $case: 'sessionId' as const, value: by.value.trim() },
  ];
  for (const lookup of lookups) {
    const answers = await Promise.all(agents.map(({ agentId }) => ask(deps, agentId, request, lookup, context)));
    const matches = answers.flatMap((match, place) => (match === undefined ? [] : [{ ...match, isFirst: agents[place]?.isDefault ?? false }]));
    if (matches.length > 0) return matches;
  }
  return [];
}

async function ask(
  deps: HandlerDeps,
  agentId: string,
  request: ResolveSessionRequest,
  by: NonNullable<ResolveSessionRequest['by']>,
  context: CallContext,
): Promise<Match | undefined> {
  const { keys, sessionId } = await deps.stores.read(
    'resolveKey',
    ResolveKeyRequest.create({
      agentId,
      by,
      spawnedBy: request.spawnedBy,
      includeGlobal: request.includeGlobal,
      includeUnknown: request.includeUnknown,
    }),
    context,
  );
  return keys[0] === undefined ? undefined : { agentId, key: keys[0], sessionId };
}

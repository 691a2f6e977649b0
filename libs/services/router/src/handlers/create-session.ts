/** CreateSession: a row that lasts, with an optional first message and the turn that it asks for. */
import { CreateSessionResponse, FieldChange, RunRequest, StoreServiceCreateSessionRequest } from '@sessions/contracts';
import type { CreateSessionRequest } from '@sessions/contracts';
import { SessionError, assertCreatableKey, asAgentId, isUuid, modelFor, parseLabel, parseModelRef, parseSessionKey, slugAgentId } from '@sessions/domain';
import type { ModelRef } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { defaultAgentFor } from '../auth/default-agent';
import type { HandlerDeps } from '../deps';
import { deliverTo } from './deliver-to';
import { readEntry } from './describe-session';
import { runIdOfCall, uuidOfCall } from './minted-id';
import { resolveAddress, storedAddressOfKey } from './resolve-address';
import type { Address } from './resolve-address';

/**
 * An existing key answers with its row. Unknown agents and models are accepted: they may be
 * configured later. Agents only so many: each has a store on disk from then on.
 * @throws VALIDATION, AGENT_UNKNOWN beyond UNCONFIGURED_STORES_MAX, KEY_INVALID, LABEL_IN_USE, SESSION_NOT_FOUND for an unknown parent
 */
export async function createSession(deps: HandlerDeps, request: CreateSessionRequest, context: CallContext): Promise<CreateSessionResponse> {
  const address = await addressOf(deps, request, context);
  const { model } = request;
  const label = request.label === undefined ? undefined : parseLabel(request.label);
  const parentSessionKey = await parentOf(deps, request, context);
  const fields = { ...(label !== undefined && { label }), ...modelFields(model, modelFor(deps.config(), asAgentId(address.agentId))) };
  const created = await deps.stores.mutate(
    'createSession',
    StoreServiceCreateSessionRequest.create({
      agentId: asAgentId(address.agentId),
      key: address.key,
      fields: Object.entries(fields).map(([name, value]) => FieldChange.create({ name, valueJson: Buffer.from(JSON.stringify(value)) })),
      parentSessionKey,
      fork: request.fork,
    }),
    context,
    { mayBegin: true },
  );
  deps.agents.noteWritten(address.agentId);
  const { message } = request;
  const delivered =
    (message === undefined || message === '') && request.attachments.length === 0
      ? undefined
      : await deliverTo(
          deps,
          {
            agentId: address.agentId,
            key: created.key,
            text: message ?? '',
            attachments: request.attachments,
            part: 'message',
            run: RunRequest.create({ runId: runIdOfCall(context, address.agentId), source: 'sessions.create' }),
          },
          context,
        );
  return CreateSessionResponse.create({
    key: created.key,
    sessionId: delivered?.sessionId ?? created.sessionId,
    entryJson: created.entryJson,
    created: created.created,
    runStarted: delivered?.runId !== undefined,
    runId: delivered?.runId,
    messageSeq: delivered?.messageSeq,
    forked: created.forked,
    forkRefusal: created.forkRefusal,
  });
}

async function addressOf(deps: HandlerDeps, request: CreateSessionRequest, context: CallContext): Promise<Address> {
  const key = request.key?.trim();
  if (key === undefined || key === '') {
    const agentId = request.agentId === undefined ? defaultAgentFor(deps.config(), context) : slugAgentId(request.agentId);
    return { agentId, key: `agent:${agentId}:dashboard:${uuidOfCall(context)}` };
  }
  if (isUuid(key)) return resolveAddress(deps, request, context);
  const named = parseSessionKey(key).agentId;
  const keyAgent = named === undefined ? undefined : slugAgentId(named);
  if (keyAgent !== undefined && request.agentId !== undefined && keyAgent !== slugAgentId(request.agentId)) {
    throw new SessionError('VALIDATION', `sessions.create key agent (${keyAgent}) does not match agentId (${slugAgentId(request.agentId)})`);
  }
  const address = await storedAddressOfKey(deps, { key, agentId: request.agentId }, context);
  assertCreatableKey(address.key);
  return address;
}

async function parentOf(deps: HandlerDeps, request: CreateSessionRequest, context: CallContext): Promise<string | undefined> {
  const { parentSessionKey } = request;
  if (parentSessionKey === undefined) return undefined;
  const unknown = (): SessionError => new SessionError('SESSION_NOT_FOUND', `unknown parent session: ${parentSessionKey}`);
  const parent = await resolveAddress(deps, { key: parentSessionKey, agentId: request.agentId }, context).catch((error: unknown) => {
    throw error instanceof SessionError && error.reason === 'SESSION_NOT_FOUND' ? unknown() : error;
  });
  const entry = await readEntry(deps, parent, context, { withoutChildren: true });
  if (entry === undefined) throw unknown();
  return entry.key;
}

/** A chosen model is an override of the session, made by a person; the agent's own is none. */
function modelFields(model: string | undefined, own: ModelRef | undefined): Readonly<Record<string, string>> {
  if (model === undefined) return {};
  const chosen = parseModelRef(model.trim());
  const provider = chosen.provider ?? own?.provider;
  if (own !== undefined && chosen.model === own.model && provider === own.provider) return {};
  return { ...(provider !== undefined && { providerOverride: provider }), modelOverride: chosen.model, modelOverrideSource: 'user' };
}

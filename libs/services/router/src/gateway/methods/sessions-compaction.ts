/** `sessions.compaction.*`: states of a session before its compactions, to look at, branch from and go back to. */
import { ForkSessionRequest } from '@sessions/contracts';
import { SessionError, isJsonObject } from '@sessions/domain';
import type { JsonObject, JsonValue } from '@sessions/domain';
import { isRestricted } from '../../auth/scopes';
import { shownEntry } from '../../auth/shown-entry';
import { shownPath } from '../../auth/shown-path';
import { existingSession } from '../../handlers/existing-session';
import type { ExistingSession } from '../../handlers/existing-session';
import { uuidOfCall } from '../../handlers/minted-id';
import { restoreInStore } from '../../handlers/restore-session';
import { textOf } from '../method';
import type { GatewayDeps, GatewayMethod, MethodCall } from '../method';

export const sessionsCompactionList: GatewayMethod = async (deps, call) => {
  const session = await sessionOf(deps, call);
  return { payload: { ok: true, key: session.key, checkpoints: checkpointsOf(session) } };
};

export const sessionsCompactionGet: GatewayMethod = async (deps, call) => {
  const { session, checkpoint } = await checkpointOf(deps, call);
  return { payload: { ok: true, key: session.key, checkpoint } };
};

export const sessionsCompactionBranch: GatewayMethod = async (deps, call) => {
  const { session, checkpoint, checkpointId } = await checkpointOf(deps, call);
  const { agentId } = session;
  const targetKey = `agent:${agentId}:dashboard:${uuidOfCall(call.context)}`;
  const branched = await deps.stores.mutate('forkSession', ForkSessionRequest.create({ agentId, sourceKey: session.key, targetKey, checkpointId }), call.context);
  deps.agents.noteWritten(agentId);
  return { payload: { ok: true, sourceKey: session.key, key: branched.key, sessionId: branched.sessionId, checkpoint, entry: entryFor(deps, call, branched.entryJson) } };
};

export const sessionsCompactionRestore: GatewayMethod = async (deps, call) => {
  const { session, checkpoint, checkpointId } = await checkpointOf(deps, call);
  const { key, sessionId, entryJson, archived } = await restoreInStore(deps, session, { checkpointId }, call.context);
  return { payload: { ok: true, key, sessionId, checkpoint, entry: entryFor(deps, call, entryJson), archived: archived.map((path) => shownPath(path, call.context.scopes, deps.stateDir)) } };
};

function entryFor({ stateDir }: GatewayDeps, { context: { scopes } }: MethodCall, json: Buffer): unknown {
  const shown = isRestricted(scopes) ? shownEntry(json, scopes, (path) => shownPath(path, scopes, stateDir)) : json;
  return JSON.parse(shown.toString('utf8')) as unknown;
}

const sessionOf = (deps: GatewayDeps, { params, context }: MethodCall): Promise<ExistingSession> =>
  existingSession(deps, { key: textOf(params, 'key'), agentId: textOf(params, 'agentId') }, context);

/** Newest first, as the entry has them. */
function checkpointsOf({ entry }: ExistingSession): readonly JsonObject[] {
  const { compactionCheckpoints } = entry;
  return Array.isArray(compactionCheckpoints) ? (compactionCheckpoints as readonly JsonValue[]).filter(isJsonObject) : [];
}

async function checkpointOf(deps: GatewayDeps, call: MethodCall): Promise<{ session: ExistingSession; checkpoint: JsonObject; checkpointId: string }> {
  const session = await sessionOf(deps, call);
  const checkpointId = textOf(call.params, 'checkpointId') ?? '';
  const checkpoint = checkpointsOf(session).find((one) => one.checkpointId === checkpointId);
  if (checkpoint === undefined) throw new SessionError('CHECKPOINT_NOT_FOUND', `checkpoint not found: ${checkpointId}`);
  return { session, checkpoint, checkpointId };
}

/**
 * `sessions.import.chunk` and `sessions.import`: one session of a portable archive, in pieces to the owner
 * of the agent's store, then put in place there. Nothing is overwritten.
 */
import { ImportSessionRequest, PutChunkRequest } from '@sessions/contracts';
import { SessionError, slugAgentId } from '@sessions/domain';
import { STREAM_DEADLINE_MS } from '@sessions/bus';
import { assertKnownAgent } from '../../handlers/known-agent';
import { flagOf, numberOf, textOf } from '../method';
import type { GatewayDeps, GatewayMethod, MethodCall } from '../method';
import { withTime } from '../../handlers/with-time';

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export const sessionsImportChunk: GatewayMethod = async (deps, call) => {
  const { params, context } = call;
  const agentId = await agentOf(deps, call);
  const text = textOf(params, 'data') ?? '';
  const data = BASE64.test(text) && text.length % 4 === 0 ? Buffer.from(text, 'base64') : undefined;
  if (data === undefined) throw new SessionError('VALIDATION', 'invalid sessions.import.chunk params: at /data: must be base64');
  const request = PutChunkRequest.create({ agentId, uploadId: textOf(params, 'uploadId') ?? '', index: numberOf(params, 'index') ?? 0, data, last: flagOf(params, 'last'), portable: true });
  const { receivedBytes } = await deps.stores.mutate('putChunk', request, context);
  return { payload: { ok: true, receivedBytes } };
};

export const sessionsImport: GatewayMethod = async (deps, call) => {
  const { params, context } = call;
  const agentId = await agentOf(deps, call);
  // All of it is read and written before the answer.
  const patient = withTime(context, deps.bus.clock.nowMs(), STREAM_DEADLINE_MS);
  const request = ImportSessionRequest.create({ agentId, uploadId: textOf(params, 'uploadId') ?? '', key: textOf(params, 'key') });
  const { key, sessionId, imported, lines, bytes } = await deps.stores.mutate('importSession', request, patient, { budgetMs: STREAM_DEADLINE_MS });
  deps.agents.noteWritten(agentId);
  return { payload: { ok: true, key, sessionId: sessionId ?? null, imported, lines, bytes } };
};

async function agentOf(deps: GatewayDeps, { params, context }: MethodCall): Promise<string> {
  const named = textOf(params, 'agentId') ?? '';
  await assertKnownAgent(deps, named, context);
  return slugAgentId(named);
}

/** AppendRecords: lines at the end of a transcript, durable when it answers. */
import { AppendRecordsResponse, type AppendRecordsRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { LINES_MAX, decideAppend, readGivenLine, type AppendAnswer } from '../decisions/decide-append';
import { newRecordId } from '../new-ids';
import type { OwnedAgent } from '../owned-agent';
import type { Uploads } from '../uploads';
import { bytesHash, requestHash } from './request-hash';
import { workspaceOf } from '../workspace/agent-workspace';

/** @throws VALIDATION, TOO_LARGE, SESSION_NOT_FOUND, ENTRY_CHANGED, IDEMPOTENCY_MISMATCH */
export async function appendRecords(agent: OwnedAgent, uploads: Uploads, request: AppendRecordsRequest, context: CallContext): Promise<AppendRecordsResponse> {
  const { key, sessionId, runId, attempt, parentId, uploadId } = request;
  if (uploadId !== undefined && request.lines.length > 0) throw new SessionError('VALIDATION', 'lines and an upload exclude each other');
  const lines = uploadId === undefined ? request.lines : [await uploads.read(agent.agentId, uploadId)];
  if (lines.length < 1 || lines.length > LINES_MAX) throw new SessionError('VALIDATION', `a request has 1 to ${String(LINES_MAX)} lines`);
  const append = {
    agentId: agent.agentId,
    key,
    sessionId,
    runId,
    attempt,
    parentId,
    lines: lines.map((line) => readGivenLine(line, newRecordId())),
    session: { cwd: workspaceOf(agent) },
  };
  const contentHash = requestHash('AppendRecords', [key, sessionId, parentId ?? '', lines.map(bytesHash)]);
  return agent.mutate<AppendAnswer, AppendRecordsResponse>(
    { method: 'AppendRecords', context, contentHash, plan: (view) => decideAppend(append, view) },
    ({ result, epoch, seq }, _store, { work }) => {
      if (runId !== undefined && attempt !== undefined) work.renew(runId, attempt);
      return Promise.resolve(
        AppendRecordsResponse.create({
          epoch,
          storeSeq: seq,
          recordIds: [...result.recordIds],
          firstMessageSeq: result.firstMessageSeq ?? undefined,
          lastMessageSeq: result.lastMessageSeq ?? undefined,
        }),
      );
    },
  );
}

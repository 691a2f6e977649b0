/** AppendRecords: lines at the end of a transcript, durable when it answers. */
import { AppendRecordsResponse, TokenUsage, type AppendRecordsRequest } from '@sessions/contracts';
import { SessionError, costSoFar, isJsonObject, recordedUsage, type JsonObject } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import { LINES_MAX, decideAppend, readGivenLine, type AppendAnswer, type GivenLine } from '../decisions/decide-append';
import { pricedUsage } from '../decisions/plan-usage';
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
  const given = lines.map((line) => readGivenLine(line, newRecordId()));
  const append = {
    agentId: agent.agentId,
    key,
    sessionId,
    runId,
    attempt,
    parentId,
    lines: given,
    costUsd: costOfAnswers(agent, request, given),
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

/** What the answers of models among the lines cost, where the cost of what a run leads to is limited; undefined: nothing is known of it. */
function costOfAnswers(agent: OwnedAgent, { runId }: AppendRecordsRequest, lines: readonly GivenLine[]): number | undefined {
  if (runId === undefined || agent.deps.config().tools.agentToAgent.maxCostUsd <= 0) return undefined;
  return costSoFar(pricedUsage(lines.flatMap(({ record }) => usageOfLine(record)), agent.priceOf));
}

function usageOfLine({ message }: JsonObject): TokenUsage[] {
  const usage = isJsonObject(message) ? recordedUsage(message) : undefined;
  return usage === undefined ? [] : [TokenUsage.create(usage)];
}

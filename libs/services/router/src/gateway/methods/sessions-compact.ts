import { CompactSessionRequest } from '@sessions/contracts';
import type { CompactionResult } from '@sessions/contracts';
import { configuredAgents } from '@sessions/domain';
import { compactionTimeMs } from '../../handlers/compact-session';
import { numberOf, textOf } from '../method';
import type { GatewayMethod } from '../method';
import { withTime } from '../../handlers/with-time';

/** `sessions.compact`: the last lines kept, or a summary; what came of it, a failure included, is the answer. */
export const sessionsCompact: GatewayMethod = async (deps, { params, context }) => {
  const maxLines = numberOf(params, 'maxLines');
  const patient = withTime(context, deps.bus.clock.nowMs(), compactionTimeMs(deps, configuredAgents(deps.config()).defaultAgentId));
  const { key, result } = await deps.handlers.compactSession(
    CompactSessionRequest.create({ key: textOf(params, 'key'), agentId: textOf(params, 'agentId'), maxLines, instructions: textOf(params, 'instructions') }),
    patient,
  );
  return { payload: { ok: result?.ok ?? true, key, compacted: result?.compacted ?? false, ...(result !== undefined && membersOf(result)) } };
};

function membersOf(result: CompactionResult): Record<string, unknown> {
  const { reason, pending, archivedPath, keptLines, tokensBefore, summaryDropped } = result;
  return {
    ...(archivedPath !== undefined && { archived: archivedPath }),
    ...(keptLines !== undefined && { kept: keptLines }),
    ...(reason !== undefined && { reason }),
    ...(pending ? { result: { details: { pending } } } : tokensBefore !== undefined && { result: summaryOf(result) }),
    ...(summaryDropped !== undefined && { summaryDropped }),
  };
}

function summaryOf({ summary, firstKeptEntryId, tokensBefore, tokensAfter, detailsJson }: CompactionResult): Record<string, unknown> {
  return {
    ...(summary !== undefined && { summary }),
    ...(firstKeptEntryId !== undefined && { firstKeptEntryId }),
    tokensBefore,
    ...(tokensAfter !== undefined && { tokensAfter }),
    details: detailsJson === undefined ? {} : (JSON.parse(detailsJson.toString('utf8')) as unknown),
  };
}

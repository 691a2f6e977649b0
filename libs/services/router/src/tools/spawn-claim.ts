import { FollowUp, SpawnClaim } from '@sessions/contracts';
import { RECALLED_CHARS_MAX, cutText } from '@sessions/domain';
import { spawnerName } from '../auth/sight';
import { channelRouteOf } from './announce-route';
import type { ToolCall } from './tool-call';

/** What a sub-agent's run carries, so that its end tells the caller: where, and of what. */
export function spawnClaim({ caller, runId, replyRoute }: ToolCall, { childAgentId, task, label, hops }: { readonly childAgentId: string; readonly task: string; readonly label: string | undefined; readonly hops: number }): FollowUp {
  const value = SpawnClaim.create({
    parentKey: spawnerName(caller, childAgentId),
    parentRunId: runId,
    task: cutText(task, RECALLED_CHARS_MAX),
    label,
    // The route of the message whose turn spawns; only a turn without one falls back on the session's.
    route: replyRoute ?? channelRouteOf(caller.row),
    step: 'run',
    hops,
  });
  return FollowUp.create({ kind: { $case: 'spawn', value } });
}

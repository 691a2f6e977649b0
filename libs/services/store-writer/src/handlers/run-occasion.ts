/** What every end of a run needs to know of its agent, and where an open run is. */
import * as path from 'node:path';
import { SessionError } from '@sessions/domain';
import type { EndOccasion } from '../decisions/decide-end-run';
import type { OpenAgentStore, OwnedAgent } from '../owned-agent';
import { workspaceOf } from '../workspace/agent-workspace';

/** Longest run id: it is an idempotency key where clients choose it. */
export const RUN_ID_LENGTH_MAX = 256;
const RUN_ID = /^[\x21-\x7e]{1,256}$/;

/** @throws VALIDATION */
export function assertRunId(runId: string): void {
  if (!RUN_ID.test(runId)) throw new SessionError('VALIDATION', `a run id has 1 to ${String(RUN_ID_LENGTH_MAX)} visible ASCII characters`);
}

export function endOccasion(agent: OwnedAgent): EndOccasion {
  const { config, clock, sessionsFile } = agent.deps;
  return {
    agentId: agent.agentId,
    config: config(),
    session: { cwd: workspaceOf(agent) },
    nowMs: clock.nowMs(),
    pathOf: (file) => path.join(path.dirname(sessionsFile()), file),
  };
}

/** Key that holds an open run. @throws RUN_NOT_FOUND */
export async function keyOfOpenRun({ work }: OpenAgentStore, runId: string): Promise<string> {
  const key = await work.keyOfRun(runId);
  if (key === undefined) throw new SessionError('RUN_NOT_FOUND', `no run ${runId.slice(0, 64)} is open`);
  return key;
}

export function isReason(error: unknown, reason: string): boolean {
  return error instanceof SessionError && error.reason === reason;
}

/** AppendNotes: notes of an agent in its workspace. */
import { AppendNotesResponse, type AppendNotesRequest } from '@sessions/contracts';
import { SessionError, agentSettings, namedWorkspace } from '@sessions/domain';
import { appendNotes } from '../memory-files';
import type { OwnedAgent } from '../owned-agent';
import { workspaceOf } from '../workspace/agent-workspace';

/** @throws TOO_LARGE, VALIDATION, also where the agent has no workspace or may not write to it */
export function appendNotesOf(agent: OwnedAgent, { day, text }: AppendNotesRequest): Promise<AppendNotesResponse> {
  const { sandbox } = agentSettings(agent.deps.config(), agent.agentId);
  if (sandbox.mode !== 'off' && sandbox.workspaceAccess !== 'rw') throw new SessionError('VALIDATION', `the sandbox of agent ${agent.agentId} may not write to its workspace`);
  if (namedWorkspace(agent.deps.config(), agent.agentId) === undefined) throw new SessionError('VALIDATION', `agent ${agent.agentId} has no workspace: configure agents.defaults.workspace`);
  return agent.use(async (open) => {
    const { relPath, bytes } = await appendNotes(workspaceOf(agent), day, text);
    return AppendNotesResponse.create({ epoch: open.store.epoch, storeSeq: open.seq, relPath, bytes });
  });
}

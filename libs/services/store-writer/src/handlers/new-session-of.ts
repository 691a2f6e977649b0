/** What a new session of an agent begins with, as far as chance and configuration decide it. */
import { parseSessionKey } from '@sessions/domain';
import type { NewSession } from '../decisions/new-session';
import { uuidV7 } from '../new-ids';
import type { OwnedAgent } from '../owned-agent';
import { workspaceOf } from '../workspace/agent-workspace';

/** @param sessionId asked for by the caller; absent: a new one. */
export function newSessionOf(agent: OwnedAgent, key: string, sessionId?: string): NewSession {
  const { config, clock } = agent.deps;
  const { suffix } = parseSessionKey(key);
  return {
    sessionId: sessionId ?? uuidV7(clock.nowMs()),
    cwd: workspaceOf(agent),
    storeFormat: config().session.storeFormat,
    ...(suffix?.kind === 'topic' ? { topicThreadId: suffix.id } : {}),
  };
}

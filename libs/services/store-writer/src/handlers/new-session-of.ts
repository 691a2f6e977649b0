/** What a new session of an agent begins with, as far as chance and configuration decide it. */
import { agentSettings, parseSessionKey } from '@sessions/domain';
import type { NewSession } from '../decisions/new-session';
import { uuidV7 } from '../new-ids';
import type { OwnedAgent } from '../owned-agent';

/** @param sessionId asked for by the caller; absent: a new one. */
export function newSessionOf(agent: OwnedAgent, key: string, sessionId?: string): NewSession {
  const { config, clock, homeDir } = agent.deps;
  const { suffix } = parseSessionKey(key);
  return {
    sessionId: sessionId ?? uuidV7(clock.nowMs()),
    cwd: agentSettings(config(), agent.agentId).workspace ?? homeDir,
    storeFormat: config().session.storeFormat,
    ...(suffix?.kind === 'topic' ? { topicThreadId: suffix.id } : {}),
  };
}

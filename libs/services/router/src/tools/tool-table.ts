/** The session tools by name. */
import type { SessionToolName } from '@sessions/domain';
import { agentsList } from './agents-list';
import { sessionStatus } from './session-status';
import { sessionsHistory } from './sessions-history';
import { sessionsList } from './sessions-list';
import { sessionsSend } from './sessions-send';
import { sessionsSpawn } from './sessions-spawn';
import { sessionsYield } from './sessions-yield';
import { subagents } from './subagents';
import type { ToolAnswer, ToolCall } from './tool-call';

/** @throws InvalidArguments, SessionError: told to the model by whoever calls it */
export type Tool = (call: ToolCall, raw: unknown) => Promise<ToolAnswer>;

export const TOOLS: Readonly<Record<SessionToolName, Tool>> = {
  session_status: sessionStatus,
  sessions_list: sessionsList,
  sessions_history: sessionsHistory,
  sessions_send: sessionsSend,
  sessions_spawn: sessionsSpawn,
  sessions_yield: sessionsYield,
  subagents,
  agents_list: agentsList,
};

/** `sessions_history`: messages of one session, as another agent may read them. */
import { GetHistoryRequest } from '@sessions/contracts';
import { SessionError, parseHistoryArguments, safeHistory } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { readPage } from '../handlers/get-history';
import { messagesOf } from './messages-of';
import { resolveTarget, shownKey } from './target';
import { argumentsOf } from './tool-call';
import type { ToolAnswer, ToolCall } from './tool-call';

export async function sessionsHistory(call: ToolCall, raw: unknown): Promise<ToolAnswer> {
  const { sessionKey, limit, includeTools } = argumentsOf(parseHistoryArguments(raw));
  const target = await resolveTarget(call, sessionKey);
  const { rawHistory } = call.deps.config().tools.sessions;
  const messages = target.row === undefined ? [] : await readMessages(call, target, limit, includeTools);
  return { details: { sessionKey: shownKey(target), ...safeHistory(messages, { isRaw: rawHistory, includeTools }) } };
}

async function readMessages({ deps, context }: ToolCall, { agentId, key }: { agentId: string; key: string }, limit: number, includeTools: boolean): Promise<readonly JsonObject[]> {
  try {
    // Judged already: read as the router itself.
    const page = await readPage(deps, GetHistoryRequest.create({ key, agentId, limit, includeTools }), { ...context, caller: 'service:router/tools' });
    return messagesOf(page.records);
  } catch (error) {
    // Gone in between: as empty as one that never was.
    if (error instanceof SessionError && error.reason === 'SESSION_NOT_FOUND') return [];
    throw error;
  }
}

/** `sessions_yield`: ends the turn; what the session waits for arrives as its next message. */
import { parseYieldArguments } from '@sessions/domain';
import { argumentsOf } from './tool-call';
import type { ToolAnswer, ToolCall } from './tool-call';

export async function sessionsYield(_call: ToolCall, raw: unknown): Promise<ToolAnswer> {
  const { message } = argumentsOf(parseYieldArguments(raw));
  return { details: { status: 'yielded', ...(message !== undefined && { message }) }, endsTurn: true };
}

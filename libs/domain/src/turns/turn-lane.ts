/**
 * Which queue a turn waits in: those of people and programs in one, those of sub-agents in another, so
 * that neither keeps the other from beginning.
 */
import { parseSessionKey } from '../keys/session-key';

export type TurnLane = 'turn' | 'subagent';

export function turnLane(sessionKey: string): TurnLane {
  return parseSessionKey(sessionKey).form === 'subagent' ? 'subagent' : 'turn';
}

/** Run ids that clients choose: the idempotency key of a message is the id of its run at these doors. */
import { SessionError, reservedRunId } from '@sessions/domain';
import { isRunIdOf } from './minted-id';

/**
 * @param agentId whose store the run is in
 * @throws VALIDATION for an id that the system itself gives, now or later: whoever has it first would be
 * told of the other's run, and that one would never begin
 */
export function chosenRunId(idempotencyKey: string, agentId: string): string {
  const reserved = isRunIdOf(idempotencyKey, agentId) ? 'it is the id of a run that the system itself names' : reservedRunId(idempotencyKey);
  if (reserved !== undefined) throw new SessionError('VALIDATION', `idempotencyKey: ${reserved}; choose another`);
  return idempotencyKey;
}

import { SessionError } from '@sessions/domain';

/** A repeated request is answered from the store; what it made may have been deleted since. */
export function goneSince(idempotencyKey: string): SessionError {
  return new SessionError('SESSION_NOT_FOUND', 'the session of this request has been deleted since', { facts: { idempotencyKeyLength: idempotencyKey.length } });
}

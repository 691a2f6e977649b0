/**
 * Makes what JetStream is missing, once for all who miss it, when this connection may; otherwise
 * says what to do. Shared by jobs and leases.
 */
import { SessionError } from '@sessions/domain';
import { Unanswered } from './inbox';
import { isAway, isMissing } from './jetstream';
import type { NatsLink } from './link';

export interface Provisioner {
  /**
   * Runs `act`; when JetStream lost what it needs, makes that and runs it once more.
   * @throws NO_OWNER with the fact `jetstreamAway` when JetStream does not answer; what JetStream refused with
   */
  run<T>(what: string, act: () => Promise<T>): Promise<T>;
}

/** @param make undefined: this connection only binds */
export function createProvisioner(link: NatsLink, make: (() => Promise<void>) | undefined): Provisioner {
  let making: Promise<void> | undefined;
  const makeOnce = (): Promise<void> => {
    making ??= (make ?? (() => Promise.resolve()))()
      .then(() => link.report({ kind: 'provisioned', message: 'streams, consumers and bucket are there' }))
      .finally(() => (making = undefined));
    return making;
  };
  const away = (what: string, cause: unknown): SessionError => {
    const why = cause instanceof Error ? cause.message : String(cause);
    // The message alone reaches the log: it says whether to wait or what to run.
    const message = isMissing(cause) ? 'jetstream lacks what the set-up of the bus makes; run "openclaw gateway setup-bus"' : 'jetstream does not answer';
    link.report({ kind: 'jetstream-away', message, what, why });
    const hint = isMissing(cause)
      ? 'run the set-up step of the bus again: what it made is gone'
      : 'check that nats-server runs with JetStream, and that the set-up step of the bus has run';
    return new SessionError('NO_OWNER', `${what} is not available: ${why}`, { facts: { jetstreamAway: true }, hint, cause });
  };
  return {
    async run(what, act) {
      try {
        return await act();
      } catch (error) {
        if (!isAway(error) && !isMissing(error)) throw error;
        // Nobody listens: the stream may be gone, or its leader. A time-out says nothing of the kind.
        const mayBeGone = isMissing(error) || (error instanceof Unanswered && error.why === 'no-responders');
        if (make === undefined || !mayBeGone || !link.connected) throw away(what, error);
      }
      try {
        await makeOnce();
        return await act();
      } catch (error) {
        throw isAway(error) || isMissing(error) ? away(what, error) : error;
      }
    },
  };
}

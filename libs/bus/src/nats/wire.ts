/**
 * Names that are on the wire of NATS only; `docs/protocols/bus.md` says how they are used. Shared
 * with nobody, so a change here is a change of protocol.
 */
import type { Headers } from '../call-meta';

/** On the empty message by which a server says that it works on a call; its reply subject takes `cancel`. */
export const WORKING_HEADER = 'Sess-Working';
/** On the empty message by which a stream's server says that it is there; its number is the last one sent. */
export const BEAT_HEADER = 'Sess-Stream-Beat';
/** Status in the header line of the server's answer when nobody subscribes to a request's subject. */
export const NO_RESPONDERS = 503;

/** What a reader writes to a server's control subject. */
export const CONTROL = {
  CANCEL: 'cancel',
  HERE: 'here',
  CREDIT: 'credit ',
} as const;

/** A unary call tells its caller where to cancel it once it has taken this long, milliseconds. */
export const WORKING_AFTER_MS = 20;
/** How long a refusal NOT_OWNER waits for the answer of the new owner, milliseconds. */
export const HAND_OVER_PATIENCE_MS = 25;
/** How long a call waits for a connection that is being made again, milliseconds. */
export const RECONNECT_PATIENCE_MS = 2_000;
/** Answers read before credit is granted anew; more seldom than each, often enough to keep the sender busy. */
export const CREDIT_BATCH = 8;
/** Beats that may stay away before the other side counts as gone. */
export const BEATS_MISSED_MAX = 3;
/** How long JetStream may take for one answer, milliseconds. */
export const JETSTREAM_TIMEOUT_MS = 2_000;

export const NS_PER_MS = 1_000_000;

/** Names of what JetStream keeps for one subject prefix. */
export function namesFor(subjectPrefix: string): { readonly jobs: string; readonly dead: string; readonly leases: string } {
  const upper = subjectPrefix.toUpperCase();
  return { jobs: `${upper}_JOBS`, dead: `${upper}_DEAD`, leases: `${upper}_LEASES` };
}

/** Headers of a received message; the first value of each. */
export function readHeaders(given: Iterable<[string, string[]]> | undefined): Headers {
  const headers: Record<string, string> = {};
  for (const [name, values] of given ?? []) headers[name] = values[0] ?? '';
  return headers;
}

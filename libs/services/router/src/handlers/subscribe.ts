/** Subscribe: the events of all sessions, or of some, as they happen. */
import { SubscribeResponse } from '@sessions/contracts';
import type { Event, SubscribeRequest } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { FanOut } from '../fan-out';
import { isRestricted, seesAgent } from '../auth/scopes';
import { eventForRestricted } from '../auth/shown-entry';
import type { HandlerDeps } from '../deps';
import { storedAddressOfKey } from './resolve-address';

/** Events that wait for one reader; one more ends its stream. */
const WAITING_MAX = 4096;
const KEYS_MAX = 1000;

/** @throws VALIDATION for neither `all` nor keys; OVERLOADED for a reader that does not keep up */
export async function* subscribe(
  deps: HandlerDeps,
  fanOut: FanOut,
  request: SubscribeRequest,
  context: CallContext,
): AsyncIterable<SubscribeResponse> {
  if (!request.all && request.keys.length === 0) throw new SessionError('VALIDATION', 'subscribe to all sessions or name keys');
  if (request.keys.length > KEYS_MAX) throw new SessionError('VALIDATION', `a subscription names at most ${KEYS_MAX} keys`);
  const keys = new Set<string>();
  for (const key of request.keys) keys.add((await storedAddressOfKey(deps, { key }, context)).key);
  const isNarrowed = isRestricted(context.scopes);
  const waiting: Event[] = [];
  let wake: () => void = () => undefined;
  let overrun = false;
  const end = fanOut.add((event) => {
    if (!seesAgent(context.scopes, event.agentId)) return;
    if (!request.all && (event.sessionKey === undefined || !keys.has(event.sessionKey))) return;
    if (waiting.length >= WAITING_MAX) overrun = true;
    else waiting.push(isNarrowed ? eventForRestricted(event, context.scopes) : event);
    wake();
  }, (key) => request.all || keys.has(key));
  const onLeave = (): void => wake();
  context.signal.addEventListener('abort', onLeave, { once: true });
  try {
    while (!context.signal.aborted) {
      if (overrun) throw new SessionError('OVERLOADED', 'the reader does not keep up with the events');
      const event = waiting.shift();
      if (event !== undefined) yield SubscribeResponse.create({ event });
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    throw context.signal.reason;
  } finally {
    context.signal.removeEventListener('abort', onLeave);
    end();
  }
}

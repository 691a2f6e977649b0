/** Calls that the router makes by itself, for nobody's request. */
import { randomUUID } from 'node:crypto';
import type { Bus, CallContext } from '@sessions/bus';

/** Time for one such call unless it is said otherwise, milliseconds. */
const OWN_CALL_MS = 30_000;

export interface OwnCall {
  readonly bus: Pick<Bus, 'clock'>;
  readonly instance: string;
  readonly signal: AbortSignal;
  readonly idempotencyKey?: string;
  readonly hops?: number;
  readonly timeMs?: number;
}

export function ownContext({ bus, instance, signal, idempotencyKey, hops = 0, timeMs = OWN_CALL_MS }: OwnCall): CallContext {
  return {
    caller: `service:router/${instance}`,
    // Restricted to no agent: what it does was allowed where it was asked for.
    scopes: [],
    requestId: randomUUID(),
    idempotencyKey,
    traceparent: undefined,
    tracestate: undefined,
    hops,
    signal,
    deadlineAtMs: bus.clock.nowMs() + timeMs,
  };
}

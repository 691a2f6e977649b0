/** Calls that may take longer than a request usually does. */
import type { CallContext } from '@sessions/bus';

/** More time than a request usually has, milliseconds from `nowMs`. */
export const withTime = (context: CallContext, nowMs: number, timeMs: number): CallContext => ({
  ...context,
  deadlineAtMs: Math.max(context.deadlineAtMs, nowMs + timeMs),
});

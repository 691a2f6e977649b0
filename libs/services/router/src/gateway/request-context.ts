/** The context of a call whose parameters name its idempotency key. */
import type { CallContext } from '@sessions/bus';
import type { MethodCall } from './method';
import { textOf } from './method';

/** `idempotencyKey` of the parameters, else the request's own id. Any text: what the bus cannot carry travels as its hash. */
export function toRequestContext({ params, context }: Pick<MethodCall, 'params' | 'context'>): CallContext {
  const idempotencyKey = textOf(params, 'idempotencyKey');
  return idempotencyKey === undefined ? context : { ...context, idempotencyKey };
}

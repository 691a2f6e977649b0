/** The two ways a call to the gateway fails: it answered no, or the connection did not carry it. */
import type { GatewayTarget } from './gateway-target';

/** An answer with `ok: false`. */
export class GatewayRequestError extends Error {
  override readonly name = 'GatewayRequestError';
  constructor(
    readonly code: string,
    message: string,
    readonly retryable: boolean,
    readonly details: unknown,
  ) {
    super(message);
  }
}

/** No answer: refused, closed or out of time. `code` is the WebSocket close code, 1006 for none. */
export class GatewayTransportError extends Error {
  override readonly name = 'GatewayTransportError';
  constructor(
    readonly kind: 'closed' | 'timeout',
    message: string,
    readonly code: number | null,
    readonly closeReason: string | null,
    readonly target: GatewayTarget,
  ) {
    super(message);
  }
}

/** Document of a failed call with --json (measured shape). */
export function toGatewayFailure(error: GatewayRequestError | GatewayTransportError): Readonly<Record<string, unknown>> {
  if (error instanceof GatewayRequestError) {
    const { code, message, retryable, details } = error;
    return { ok: false, error: { type: 'gateway_request_error', code, message, retryable, ...(details !== undefined && { details }) } };
  }
  const { kind, message, code, closeReason, target } = error;
  return {
    ok: false,
    error: { type: 'gateway_transport_error', kind, message, ...(code !== null && { code }), ...(closeReason !== null && { reason: closeReason }) },
    gateway: { url: target.url, urlSource: target.urlSource },
  };
}

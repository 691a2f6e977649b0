/**
 * The one error class of the system and the table of its reasons.
 *
 * A reason is a stable word: clients switch on it, it is never reused for another meaning. Each
 * reason has one gRPC status (which tells a caller whether a retry can help) and one face at every
 * door; the faces are derived from this table and nowhere else.
 */

/** gRPC status codes (https://grpc.io/docs/guides/status-codes/) that this system answers with. */
export const GRPC_STATUS = {
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type StatusName = keyof typeof GRPC_STATUS;

/** Error codes of the gateway's WebSocket protocol. */
export type GatewayErrorCode = 'INVALID_REQUEST' | 'UNAVAILABLE' | 'NOT_PAIRED' | 'AGENT_TIMEOUT';

/** When the same request may be sent again. */
export type RetryRule = 'no' | 'yes' | 'same-key' | 'after-reading-again' | 'after-delay' | 'when-space-is-back';

interface ReasonFaces {
  readonly status: StatusName;
  readonly gateway: GatewayErrorCode;
  readonly http: number;
  readonly httpType: string;
  readonly retry: RetryRule;
}

const face = (
  status: StatusName,
  gateway: GatewayErrorCode,
  http: number,
  httpType: string,
  retry: RetryRule = 'no',
): ReasonFaces => ({ status, gateway, http, httpType, retry });

/** Every reason with its four faces. */
export const REASONS = {
  VALIDATION: face('INVALID_ARGUMENT', 'INVALID_REQUEST', 400, 'invalid_request'),
  KEY_INVALID: face('INVALID_ARGUMENT', 'INVALID_REQUEST', 400, 'invalid_request'),
  PEER_MISSING: face('INVALID_ARGUMENT', 'INVALID_REQUEST', 400, 'invalid_request'),
  TOO_LARGE: face('INVALID_ARGUMENT', 'INVALID_REQUEST', 413, 'too_large'),
  UNSUPPORTED: face('UNIMPLEMENTED', 'INVALID_REQUEST', 404, 'not_found'),
  SESSION_NOT_FOUND: face('NOT_FOUND', 'INVALID_REQUEST', 404, 'not_found'),
  RUN_NOT_FOUND: face('NOT_FOUND', 'INVALID_REQUEST', 404, 'not_found'),
  ARCHIVE_NOT_FOUND: face('NOT_FOUND', 'INVALID_REQUEST', 404, 'not_found'),
  CHECKPOINT_NOT_FOUND: face('NOT_FOUND', 'INVALID_REQUEST', 404, 'not_found'),
  FILE_NOT_FOUND: face('NOT_FOUND', 'INVALID_REQUEST', 404, 'not_found'),
  AGENT_UNKNOWN: face('NOT_FOUND', 'INVALID_REQUEST', 404, 'not_found'),
  KEY_AMBIGUOUS: face('FAILED_PRECONDITION', 'INVALID_REQUEST', 409, 'conflict'),
  MAIN_PROTECTED: face('FAILED_PRECONDITION', 'INVALID_REQUEST', 409, 'conflict'),
  AGENT_REQUIRED: face('FAILED_PRECONDITION', 'INVALID_REQUEST', 409, 'conflict'),
  LABEL_IN_USE: face('ALREADY_EXISTS', 'INVALID_REQUEST', 409, 'conflict'),
  IDEMPOTENCY_MISMATCH: face('ALREADY_EXISTS', 'INVALID_REQUEST', 409, 'conflict'),
  ENTRY_CHANGED: face('ABORTED', 'INVALID_REQUEST', 409, 'conflict', 'after-reading-again'),
  STALE_PLAN: face('ABORTED', 'INVALID_REQUEST', 409, 'conflict', 'after-reading-again'),
  UNAUTHENTICATED: face('UNAUTHENTICATED', 'INVALID_REQUEST', 401, 'unauthorized'),
  PAIRING_REQUIRED: face('PERMISSION_DENIED', 'NOT_PAIRED', 403, 'forbidden'),
  SCOPE_MISSING: face('PERMISSION_DENIED', 'INVALID_REQUEST', 403, 'forbidden'),
  NOT_VISIBLE: face('PERMISSION_DENIED', 'INVALID_REQUEST', 403, 'forbidden'),
  SEND_DENIED: face('PERMISSION_DENIED', 'INVALID_REQUEST', 403, 'forbidden'),
  SPAWN_DENIED: face('PERMISSION_DENIED', 'INVALID_REQUEST', 403, 'forbidden'),
  SESSION_LOCKED: face('UNAVAILABLE', 'UNAVAILABLE', 503, 'unavailable', 'yes'),
  RUN_STILL_ACTIVE: face('UNAVAILABLE', 'UNAVAILABLE', 503, 'unavailable', 'yes'),
  NOT_OWNER: face('UNAVAILABLE', 'UNAVAILABLE', 503, 'unavailable', 'same-key'),
  EPOCH_SUPERSEDED: face('UNAVAILABLE', 'UNAVAILABLE', 503, 'unavailable', 'same-key'),
  NO_OWNER: face('UNAVAILABLE', 'UNAVAILABLE', 503, 'unavailable', 'same-key'),
  SHUTTING_DOWN: face('UNAVAILABLE', 'UNAVAILABLE', 503, 'unavailable', 'same-key'),
  OVERLOADED: face('RESOURCE_EXHAUSTED', 'UNAVAILABLE', 429, 'rate_limited', 'after-delay'),
  RATE_LIMITED: face('RESOURCE_EXHAUSTED', 'UNAVAILABLE', 429, 'rate_limited', 'after-delay'),
  DISK_FULL: face('RESOURCE_EXHAUSTED', 'UNAVAILABLE', 503, 'unavailable', 'when-space-is-back'),
  READ_ONLY: face('RESOURCE_EXHAUSTED', 'UNAVAILABLE', 503, 'unavailable', 'when-space-is-back'),
  STORE_UNREADABLE: face('DATA_LOSS', 'UNAVAILABLE', 503, 'damaged'),
  DAMAGED: face('DATA_LOSS', 'UNAVAILABLE', 503, 'damaged'),
  OUTCOME_UNKNOWN: face('UNKNOWN', 'UNAVAILABLE', 503, 'unknown_outcome', 'same-key'),
  DEADLINE: face('DEADLINE_EXCEEDED', 'UNAVAILABLE', 504, 'timeout', 'same-key'),
  MODEL_FAILED: face('UNAVAILABLE', 'UNAVAILABLE', 502, 'model_failed', 'yes'),
  SUMMARY_FAILED: face('FAILED_PRECONDITION', 'INVALID_REQUEST', 409, 'conflict'),
  STRUCTURE_REFUSED: face('FAILED_PRECONDITION', 'INVALID_REQUEST', 409, 'conflict'),
  CONFIG_INVALID: face('FAILED_PRECONDITION', 'UNAVAILABLE', 503, 'unavailable'),
  INTERNAL: face('INTERNAL', 'UNAVAILABLE', 500, 'internal'),
} as const satisfies Record<string, ReasonFaces>;

export type Reason = keyof typeof REASONS;

/** Facts of an error: small, printable, never the text of a conversation or a secret. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean | null>>;

export interface SessionErrorOptions {
  readonly facts?: ErrorFacts;
  /** The operator's next step, with the command. */
  readonly hint?: string;
  /** Milliseconds after which a retry can succeed. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** A call that cannot be served, with the stable reason why. */
export class SessionError extends Error {
  override readonly name = 'SessionError';
  readonly reason: Reason;
  readonly facts: ErrorFacts;
  readonly hint: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(reason: Reason, message: string, options: SessionErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.facts = options.facts ?? {};
    this.hint = options.hint;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** gRPC status of the reason. */
  get code(): number {
    return GRPC_STATUS[REASONS[this.reason].status];
  }

  get faces(): (typeof REASONS)[Reason] {
    return REASONS[this.reason];
  }
}

/** True when `value` is a reason of the table; for reasons that arrive over a wire. */
export function isReason(value: string): value is Reason {
  return Object.prototype.hasOwnProperty.call(REASONS, value);
}

/**
 * Names of the headers that travel beside every call: bus headers as written here, gRPC metadata
 * in lower case.
 */
export const CALL_HEADER = {
  /** Milliseconds left, as a decimal number; relative, so clocks need not agree. */
  TIMEOUT: 'Grpc-Timeout',
  /** gRPC status number of an answer. */
  STATUS: 'Grpc-Status',
  /** Percent-encoded text of a refusal. */
  MESSAGE: 'Grpc-Message',
  /** Base64 of an encoded ErrorDetails, at most 4 KiB encoded. */
  DETAILS: 'Grpc-Details',
  /** W3C trace context. */
  TRACEPARENT: 'traceparent',
  TRACESTATE: 'tracestate',
  /** UUID of the client's request, kept over retries; stands in every log line. */
  REQUEST_ID: 'Sess-Request-Id',
  /** 1 to 256 visible ASCII characters, unique per agent. */
  IDEMPOTENCY_KEY: 'Sess-Idempotency-Key',
  /** `client:<connId>`, `agent:<sessionKey>` or `service:<name>/<instance>`; never from outside. */
  CALLER: 'Sess-Caller',
  /** Granted scopes, comma separated; never from outside. */
  SCOPES: 'Sess-Scopes',
  /** Distance between sessions from the person's message, a decimal number. */
  HOPS: 'Sess-Hops',
  /** Epoch of the owner that answered. */
  EPOCH: 'Sess-Epoch',
  /** Number of a stream's message, from 1. */
  STREAM_SEQ: 'Sess-Stream-Seq',
  /** On the empty message that ends a stream. */
  STREAM_END: 'Sess-Stream-End',
  /** Message id of a job, for de-duplication. */
  MESSAGE_ID: 'Nats-Msg-Id',
} as const;

/** Name of one call header. */
export type CallHeader = (typeof CALL_HEADER)[keyof typeof CALL_HEADER];

/** Headers that say who calls and what it may do: the edge sets them, whatever a client sent. */
export const TRUSTED_HEADERS: readonly CallHeader[] = [CALL_HEADER.CALLER, CALL_HEADER.SCOPES, CALL_HEADER.HOPS];

import { GRPC_STATUS, REASONS, SessionError } from './errors';
import type { Reason } from './errors';

/** The documented table: reasons, gRPC status, code of the WebSocket, HTTP status and type. */
const TABLE: readonly (readonly [reasons: string, status: keyof typeof GRPC_STATUS, gateway: string, http: number, type: string])[] = [
  ['VALIDATION KEY_INVALID PEER_MISSING', 'INVALID_ARGUMENT', 'INVALID_REQUEST', 400, 'invalid_request'],
  ['TOO_LARGE', 'INVALID_ARGUMENT', 'INVALID_REQUEST', 413, 'too_large'],
  ['UNSUPPORTED', 'UNIMPLEMENTED', 'INVALID_REQUEST', 404, 'not_found'],
  ['SESSION_NOT_FOUND RUN_NOT_FOUND ARCHIVE_NOT_FOUND CHECKPOINT_NOT_FOUND FILE_NOT_FOUND AGENT_UNKNOWN', 'NOT_FOUND', 'INVALID_REQUEST', 404, 'not_found'],
  ['KEY_AMBIGUOUS MAIN_PROTECTED AGENT_REQUIRED', 'FAILED_PRECONDITION', 'INVALID_REQUEST', 409, 'conflict'],
  ['LABEL_IN_USE IDEMPOTENCY_MISMATCH', 'ALREADY_EXISTS', 'INVALID_REQUEST', 409, 'conflict'],
  ['ENTRY_CHANGED STALE_PLAN', 'ABORTED', 'INVALID_REQUEST', 409, 'conflict'],
  ['UNAUTHENTICATED', 'UNAUTHENTICATED', 'INVALID_REQUEST', 401, 'unauthorized'],
  ['PAIRING_REQUIRED', 'PERMISSION_DENIED', 'NOT_PAIRED', 403, 'forbidden'],
  ['SCOPE_MISSING NOT_VISIBLE SEND_DENIED SPAWN_DENIED', 'PERMISSION_DENIED', 'INVALID_REQUEST', 403, 'forbidden'],
  ['SESSION_LOCKED RUN_STILL_ACTIVE NOT_OWNER EPOCH_SUPERSEDED NO_OWNER SHUTTING_DOWN', 'UNAVAILABLE', 'UNAVAILABLE', 503, 'unavailable'],
  ['OVERLOADED RATE_LIMITED', 'RESOURCE_EXHAUSTED', 'UNAVAILABLE', 429, 'rate_limited'],
  ['DISK_FULL READ_ONLY', 'RESOURCE_EXHAUSTED', 'UNAVAILABLE', 503, 'unavailable'],
  ['STORE_UNREADABLE DAMAGED', 'DATA_LOSS', 'UNAVAILABLE', 503, 'damaged'],
  ['OUTCOME_UNKNOWN', 'UNKNOWN', 'UNAVAILABLE', 503, 'unknown_outcome'],
  ['DEADLINE', 'DEADLINE_EXCEEDED', 'UNAVAILABLE', 504, 'timeout'],
  ['MODEL_FAILED', 'UNAVAILABLE', 'UNAVAILABLE', 502, 'model_failed'],
  ['CONFIG_INVALID', 'FAILED_PRECONDITION', 'UNAVAILABLE', 503, 'unavailable'],
  ['INTERNAL', 'INTERNAL', 'UNAVAILABLE', 500, 'internal'],
];
/** Outcomes of a summary travel in the payload; their faces are never shown as an error of a door. */
const IN_PAYLOADS = ['SUMMARY_FAILED', 'STRUCTURE_REFUSED'];

const rows = TABLE.flatMap(([reasons, ...faces]) => reasons.split(' ').map((reason) => [reason as Reason, ...faces] as const));

it.each(rows)('%s has the faces %s, %s, %d %s', (reason, status, gateway, http, type) => {
  const error = new SessionError(reason, 'why');
  expect(error.code).toBe(GRPC_STATUS[status]);
  expect(error.faces).toMatchObject({ status, gateway, http, httpType: type });
});

it('no reason is without a row', () => {
  expect([...rows.map(([reason]) => reason), ...IN_PAYLOADS].sort()).toEqual(Object.keys(REASONS).sort());
});

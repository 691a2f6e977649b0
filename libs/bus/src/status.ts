/**
 * Refusals on the wire: a SessionError as status number, percent-encoded message and ErrorDetails,
 * and back. The same three headers serve the bus and, in lower case, gRPC metadata.
 */
import { CALL_HEADER, ErrorDetails } from '@sessions/contracts';
import type { ErrorFact } from '@sessions/contracts';
import { GRPC_STATUS, SessionError, isReason } from '@sessions/domain';
import type { ErrorFacts, Reason } from '@sessions/domain';
import type { Headers } from './call-meta';
import { MAX_DETAILS_BYTES } from './limits';

/** Status of an answer that is no refusal. */
export const STATUS_OK = 0;

/** Longest message that travels, characters before encoding. */
const MAX_MESSAGE = 2000;

/**
 * The refusal to show for anything thrown. What is not a SessionError is a fault of ours: it keeps
 * its cause for the log of this process, and says nothing of it to others.
 */
export function toSessionError(thrown: unknown): SessionError {
  return thrown instanceof SessionError
    ? thrown
    : new SessionError('INTERNAL', 'internal error', { cause: thrown });
}

/** The three headers of a refusal. */
export function errorToHeaders(error: SessionError): Headers {
  return {
    [CALL_HEADER.STATUS]: String(error.code),
    [CALL_HEADER.MESSAGE]: encodeURIComponent(wellFormed(error.message.slice(0, MAX_MESSAGE))),
    [CALL_HEADER.DETAILS]: Buffer.from(encodeDetails(error)).toString('base64'),
  };
}

/** The refusal that headers describe; undefined when they say that all is well. */
export function errorFromHeaders(headers: Headers): SessionError | undefined {
  const status = Number(headers[CALL_HEADER.STATUS] ?? STATUS_OK);
  if (status === STATUS_OK) return undefined;
  const details = decodeDetails(headers[CALL_HEADER.DETAILS]);
  const facts = Object.fromEntries(Object.entries(details.facts).map(([name, fact]) => [name, fact.value?.value ?? null]));
  const given = details.reason;
  const known = isReason(given);
  return new SessionError(known ? given : reasonOfStatus(status), decodeMessage(headers[CALL_HEADER.MESSAGE]), {
    facts: known || given === '' ? facts : { ...facts, reason: given },
    ...(details.hint === undefined ? {} : { hint: details.hint }),
    ...(details.retryAfterMs === undefined ? {} : { retryAfterMs: details.retryAfterMs }),
  });
}

/** ErrorDetails of a refusal, at most 4 KiB: hint, then facts are left out when it would be more. */
export function encodeDetails(error: SessionError): Uint8Array {
  const facts = Object.entries(error.facts);
  let hint = error.hint;
  for (;;) {
    const bytes = ErrorDetails.encode(
      ErrorDetails.create({
        reason: error.reason,
        facts: Object.fromEntries(facts.map(([name, value]) => [name, factOf(value)])),
        hint,
        retryAfterMs: error.retryAfterMs === undefined ? undefined : Math.round(error.retryAfterMs),
      }),
    ).finish();
    if (bytes.length <= MAX_DETAILS_BYTES) return bytes;
    if (hint !== undefined) hint = undefined;
    else facts.pop();
  }
}

function factOf(value: ErrorFacts[string] | undefined): ErrorFact {
  switch (typeof value) {
    case 'string':
      return { value: { $case: 'text', value } };
    case 'number':
      return { value: { $case: 'number', value } };
    case 'boolean':
      return { value: { $case: 'flag', value } };
    default:
      return { value: undefined };
  }
}

function decodeDetails(base64: string | undefined): ErrorDetails {
  try {
    return ErrorDetails.decode(Buffer.from(base64 ?? '', 'base64'));
  } catch {
    // The status still says what kind of refusal it is; details are a convenience.
    return ErrorDetails.create({});
  }
}

/** Half a surrogate pair, left by cutting, would not encode. */
function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

function decodeMessage(text: string | undefined): string {
  try {
    return decodeURIComponent(text ?? '');
  } catch {
    return text ?? '';
  }
}

/** The most general reason of a status, for reasons that this version does not know. */
function reasonOfStatus(status: number): Reason {
  switch (status) {
    case GRPC_STATUS.INVALID_ARGUMENT:
      return 'VALIDATION';
    case GRPC_STATUS.DEADLINE_EXCEEDED:
      return 'DEADLINE';
    case GRPC_STATUS.NOT_FOUND:
      return 'SESSION_NOT_FOUND';
    case GRPC_STATUS.ALREADY_EXISTS:
      return 'IDEMPOTENCY_MISMATCH';
    case GRPC_STATUS.PERMISSION_DENIED:
      return 'NOT_VISIBLE';
    case GRPC_STATUS.RESOURCE_EXHAUSTED:
      return 'OVERLOADED';
    case GRPC_STATUS.FAILED_PRECONDITION:
      return 'CONFIG_INVALID';
    case GRPC_STATUS.ABORTED:
      return 'ENTRY_CHANGED';
    case GRPC_STATUS.UNIMPLEMENTED:
      return 'UNSUPPORTED';
    case GRPC_STATUS.UNAVAILABLE:
      return 'NO_OWNER';
    case GRPC_STATUS.DATA_LOSS:
      return 'DAMAGED';
    case GRPC_STATUS.UNAUTHENTICATED:
      return 'UNAUTHENTICATED';
    case GRPC_STATUS.UNKNOWN:
      return 'OUTCOME_UNKNOWN';
    default:
      return 'INTERNAL';
  }
}

/**
 * How a command fails: one sentence on stderr and, with --json, one error object on stdout.
 */
import type { CliIo, ExitCode } from './cli-io';
import { EXIT } from './cli-io';
import { errorCode } from './error-code';
import { visibleText } from './render/visible-text';
import { SessionError, isReason } from '@sessions/domain';
import type { ErrorFacts, Reason } from '@sessions/domain';

/** The document of a failure; `code` is the gateway's word for the reason. */
export interface FailureDocument {
  readonly ok: false;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly details: Readonly<Record<string, unknown>> & { readonly reason: Reason };
  };
}

const NODE_FAULTS: Readonly<Record<string, Reason>> = { ENOSPC: 'DISK_FULL', EDQUOT: 'DISK_FULL', EROFS: 'READ_ONLY' };

interface RefusalShape {
  readonly name: 'SessionError';
  readonly reason: Reason;
  readonly message: string;
  readonly facts: ErrorFacts;
  readonly hint: string | undefined;
}

/** Each bundled file has a SessionError class of its own, so a refusal is known by its members. */
function isRefusal(error: unknown): error is RefusalShape {
  if (typeof error !== 'object' || error === null || !('name' in error && 'reason' in error)) return false;
  return error.name === 'SessionError' && typeof error.reason === 'string' && isReason(error.reason);
}

/** Any thrown value as a refusal; what is none of ours becomes INTERNAL and keeps its cause. */
export function toSessionError(error: unknown): SessionError {
  if (error instanceof SessionError) return error;
  if (isRefusal(error)) {
    const { reason, message, facts, hint } = error;
    return new SessionError(reason, message, { facts, ...(hint !== undefined && { hint }), cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new SessionError(NODE_FAULTS[errorCode(error) ?? ''] ?? 'INTERNAL', message, { cause: error });
}

export function toFailureDocument(error: SessionError): FailureDocument {
  const details = { reason: error.reason, ...error.facts, ...(error.hint !== undefined && { hint: error.hint }) };
  return { ok: false, error: { code: error.faces.gateway, message: error.message, details } };
}

/** Reports `thrown` and answers the exit code. */
export function reportFailure(io: CliIo, thrown: unknown, json: boolean): ExitCode {
  const error = toSessionError(thrown);
  if (json) io.out(`${JSON.stringify(toFailureDocument(error), null, 2)}\n`);
  io.err(visibleText(`${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`));
  return EXIT.failed;
}

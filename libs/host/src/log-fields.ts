/**
 * The names that log lines may carry, and what becomes of their values.
 *
 * Nothing of a conversation reaches a log: message text, tool arguments, tokens and the ids of
 * people have no field here, and a session key, which holds people's ids, is hashed. An error is
 * reduced to what it is and where it came from: its message may quote its input.
 */
import { SessionError } from '@sessions/domain';
import { createHmac } from 'node:crypto';
import { isNativeError } from 'node:util/types';

export interface LogFields {
  readonly service?: string;
  readonly instance?: string;
  /** Another process of the house, by its instance name. */
  readonly member?: string;
  /** Key of a lease. */
  readonly lease?: string;
  readonly agentId?: string;
  readonly sessionId?: string;
  /** Logged as `sessionKeyHash`. */
  readonly sessionKey?: string;
  readonly epoch?: number;
  readonly seq?: number;
  readonly requestId?: string;
  readonly traceId?: string;
  readonly durationMs?: number;
  readonly bytes?: number;
  readonly count?: number;
  readonly attempt?: number;
  readonly port?: number;
  /** Of the router: `websocket`, `http`, `grpc`. */
  readonly door?: string;
  /** What was asked for, by its name in the contracts; never what a client made up. */
  readonly operation?: string;
  /** Network address of a client that was refused. */
  readonly address?: string;
  /** A path of the store or the configuration; never of an attachment. */
  readonly file?: string;
  /** A stable word, never a sentence with values in it. */
  readonly reason?: string;
  /** The operator's next step; a command without keys. */
  readonly hint?: string;
  readonly err?: unknown;
}

/** What is printed of an error. */
export interface LoggedError {
  readonly type: string;
  readonly reason?: string;
  readonly code?: string;
  readonly syscall?: string;
  /** Frames without the first line, which repeats the message. */
  readonly stack?: string;
  readonly cause?: LoggedError;
}

const PLAIN_FIELDS = [
  'service', 'instance', 'member', 'lease', 'agentId', 'sessionId', 'epoch', 'seq', 'requestId', 'traceId', 'durationMs', 'bytes',
  'count', 'attempt', 'port', 'door', 'operation', 'address', 'file', 'reason', 'hint',
] as const satisfies readonly (keyof LogFields)[];

/** Causes further down are left out. */
const CAUSES_MAX = 3;
const FRAMES_MAX = 12;
const HASH_LENGTH = 12;

const wordOf = (value: unknown): string | undefined =>
  typeof value === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(value) ? value : undefined;

/** Reduces an error to type, reason, code and frames, its causes likewise. */
export function toLoggedError(error: unknown, depth = 0): LoggedError {
  if (!isNativeError(error)) return { type: typeof error };
  const facts = error as Error & { code?: unknown; syscall?: unknown };
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)).slice(0, FRAMES_MAX);
  const reason = error instanceof SessionError ? error.reason : undefined;
  const code = reason === undefined ? wordOf(facts.code) : undefined;
  const syscall = wordOf(facts.syscall);
  return {
    type: wordOf(error.name) ?? 'Error',
    ...(reason !== undefined && { reason }),
    ...(code !== undefined && { code }),
    ...(syscall !== undefined && { syscall }),
    ...(frames.length > 0 && { stack: frames.join('\n') }),
    ...(error.cause !== undefined && depth < CAUSES_MAX && { cause: toLoggedError(error.cause, depth + 1) }),
  };
}

/** Hashes session keys; the same salt gives the same hash, so that lines can be joined. */
export function createKeyHasher(salt: string | Uint8Array): (sessionKey: string) => string {
  return (sessionKey) => createHmac('sha256', salt).update(sessionKey).digest('hex').slice(0, HASH_LENGTH);
}

/** Keeps the fields of the table above and drops every other name, whatever the types said. */
export function toLogLine(fields: LogFields, hashKey: (sessionKey: string) => string): Record<string, unknown> {
  const line: Record<string, unknown> = {};
  for (const name of PLAIN_FIELDS) {
    const value = fields[name];
    if (typeof value === 'string' || typeof value === 'number') line[name] = value;
  }
  if (typeof fields.sessionKey === 'string') line['sessionKeyHash'] = hashKey(fields.sessionKey);
  if (fields.err !== undefined) line['err'] = toLoggedError(fields.err);
  return line;
}

/**
 * How long a call may take and how it is tried again. A deadline travels as the milliseconds left
 * (`Grpc-Timeout`), so clocks need not agree.
 */
import { CALL_HEADER } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { MethodShape } from './bus';
import type { BusClock } from './clock';
import type { Headers } from './call-meta';
import { methodOfPath } from './subjects';

export const READ_DEADLINE_MS = 5_000;
export const MUTATION_DEADLINE_MS = 10_000;
/** Longest silence of a stream; traffic renews it. */
export const STREAM_DEADLINE_MS = 600_000;

const RETRIES = 3;
const RETRY_BASE_MS = 100;
const RETRY_FACTOR = 4;
const RETRY_JITTER = 0.2;

/** Unary methods that change nothing; every other one is a mutation. */
const READS: ReadonlySet<string> = new Set([
  'ListSessions', 'DescribeSession', 'ResolveSession', 'PreviewSessions', 'GetUsage', 'SearchSessions', 'ListSessionFiles', 'GetSessionFile', 'ListAgents',
  'ListEntries', 'GetEntry', 'ResolveKey', 'Preview', 'Search', 'ReadUsage', 'ListFiles', 'GetFile', 'StoreInfo', 'ListArchives', 'GetRun', 'GetTraceCost', 'ListPending',
  'GetSchedule', 'Describe',
]);

/** True for a unary method that changes nothing: asking twice is the same as asking once. */
export function isRead(method: MethodShape): boolean {
  return READS.has(methodOfPath(method.path));
}

/** The usual time for a method, milliseconds. */
export function defaultDeadlineMs(method: MethodShape): number {
  if (method.responseStream) return STREAM_DEADLINE_MS;
  return isRead(method) ? READ_DEADLINE_MS : MUTATION_DEADLINE_MS;
}

/** What a call ends with when its time is over. */
export function deadlineError(method: MethodShape, timeoutMs: number): SessionError {
  return new SessionError('DEADLINE', `${method.path} did not answer within ${timeoutMs} ms`, { facts: { timeoutMs } });
}

/** Whole milliseconds, at least 0. */
export function timeoutToHeaders(timeoutMs: number): Headers {
  return { [CALL_HEADER.TIMEOUT]: String(Math.max(0, Math.floor(timeoutMs))) };
}

/** Milliseconds left, or `fallbackMs` without the header. @throws VALIDATION */
export function timeoutFromHeaders(headers: Headers, fallbackMs: number): number {
  const text = headers[CALL_HEADER.TIMEOUT];
  if (text === undefined) return fallbackMs;
  if (!/^\d{1,12}$/.test(text)) throw new SessionError('VALIDATION', `${CALL_HEADER.TIMEOUT} is no number of milliseconds`);
  return Number(text);
}

/** Delay before try number `tried + 1`, milliseconds; `random` is in [0, 1). */
export function retryDelayMs(tried: number, random: number): number {
  const spread = 1 + RETRY_JITTER * (2 * random - 1);
  return Math.round(RETRY_BASE_MS * RETRY_FACTOR ** (tried - 1) * spread);
}

export interface RetryOptions {
  readonly clock: BusClock;
  /** The whole, retries included, ends then. */
  readonly deadlineAtMs: number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly signal?: AbortSignal;
  /** Which refusals are worth another try; by default those that the table of reasons says. */
  readonly retryable?: (error: SessionError) => boolean;
}

/**
 * Tries `attempt` again (at most 3 times, 100 ms · 4ⁿ ± 20 %) while its refusal can pass and the
 * deadline is not reached. The attempt keeps its idempotency key, so nothing happens twice.
 */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof SessionError) || tried > RETRIES) throw error;
      if (!(options.retryable ?? canPass)(error)) throw error;
      const delay = Math.max(retryDelayMs(tried, options.random()), error.retryAfterMs ?? 0);
      if (options.clock.nowMs() + delay >= options.deadlineAtMs) throw error;
      await sleep(options.clock, delay, options.signal);
    }
  }
}

function canPass(error: SessionError): boolean {
  const { retry } = error.faces;
  return retry === 'yes' || retry === 'same-key' || retry === 'after-delay';
}

/** @throws the signal's reason when it aborts first */
export function sleep(clock: BusClock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.startTimer(delayMs, () => {
      signal?.removeEventListener('abort', leave);
      resolve();
    });
    if (signal?.aborted) leave();
    else signal?.addEventListener('abort', leave, { once: true });
  });
}

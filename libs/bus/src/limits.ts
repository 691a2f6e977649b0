/**
 * Sizes that hold on every transport, checked before sending (`TOO_LARGE`), so that what works in
 * one process works between machines.
 */
import { SessionError } from '@sessions/domain';

const KIB = 1024;

/** Payload of one bus message, bytes. With headers it stays below the server's 1 MiB. */
export const MAX_PAYLOAD_BYTES = 900 * KIB;
/** All headers of one message, names and values, bytes. */
export const MAX_HEADER_BYTES = 64 * KIB;
/** Where a list answer is cut with `has_more`; kept by the services, bytes. */
export const LIST_ANSWER_BYTES = 768 * KIB;
/** Items of one stream message; kept by the services, bytes. */
export const STREAM_ITEMS_BYTES = 256 * KIB;
/** Payload of a job: ids only, bytes. */
export const MAX_JOB_BYTES = 8 * KIB;
/** Encoded error details, bytes. */
export const MAX_DETAILS_BYTES = 4 * KIB;

/** Stream messages that may be under way before the reader grants more. */
export const STREAM_CREDIT = 32;
/** Calls that one served method works on at a time; one more is refused (`OVERLOADED`). */
export const MAX_CALLS_IN_FLIGHT = 1024;
/** Events that wait for one subscriber; what happens then is the subscriber's choice. */
export const MAX_EVENTS_WAITING = 4096;
/** Jobs of one type that wait; one more is refused (`OVERLOADED`). */
export const MAX_JOBS_WAITING = 100_000;
/** Dead letters that are kept; the oldest leaves first. */
export const MAX_DEAD_LETTERS = 1000;
/** Message ids that are remembered within the window; the oldest leaves first. */
export const MAX_MESSAGE_IDS = 100_000;
/** How often a job is delivered before it is a dead letter. */
export const MAX_DELIVERIES = 5;

/** @throws TOO_LARGE naming what is too large, its size and the bound. */
export function checkSize(what: string, bytes: number, bound: number): void {
  if (bytes <= bound) return;
  throw new SessionError('TOO_LARGE', `${what} has ${bytes} bytes, more than ${bound}`, { facts: { bytes, bound } });
}

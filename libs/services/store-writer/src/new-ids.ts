/** Time-ordered ids (RFC 9562, version 7): 48 bits of epoch milliseconds, then random bits. */
import { randomUUID } from 'node:crypto';

const TIME_DIGITS = 12;

/**
 * Every message asks for one. Node keeps random bytes for `randomUUID` in store, and with the time and
 * the version written over its first digits what is left is random where version 7 wants it.
 * @param nowMs epoch milliseconds; ids of a later millisecond sort after earlier ones.
 */
export function uuidV7(nowMs: number): string {
  const time = nowMs.toString(16).padStart(TIME_DIGITS, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice('00000000-0000-4'.length)}`;
}

const RECORD_ID_DIGITS = 8;

/** Id of a transcript line: eight hexadecimal digits, as the format has them. */
export function newRecordId(): string {
  return randomUUID().slice(0, RECORD_ID_DIGITS);
}

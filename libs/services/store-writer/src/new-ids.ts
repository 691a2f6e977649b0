/** Time-ordered ids (RFC 9562, version 7): 48 bits of epoch milliseconds, then random bits. */
import { randomBytes } from 'node:crypto';

const UUID_BYTES = 16;
const TIME_BYTES = 6;

/** @param nowMs epoch milliseconds; ids of a later millisecond sort after earlier ones. */
export function uuidV7(nowMs: number): string {
  const bytes = randomBytes(UUID_BYTES);
  bytes.writeUIntBE(nowMs, 0, TIME_BYTES);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

const RECORD_ID_BYTES = 4;

/** Id of a transcript line: eight hexadecimal digits, as the format has them. */
export function newRecordId(): string {
  return randomBytes(RECORD_ID_BYTES).toString('hex');
}

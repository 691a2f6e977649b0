/**
 * The members of an encoded list row that the command line shows. The generated decoder reads all
 * seventy; a cold process pays for each of them, and for a hundred rows that is the larger part of a
 * listing. Field numbers are those of `SessionRow` in entry.proto.
 */
import type { SessionRow } from '@sessions/contracts';

const TEXTS: Readonly<Record<number, keyof SessionRow>> = {
  1: 'key', 3: 'sessionId', 10: 'chatType', 11: 'spawnedBy', 15: 'label', 16: 'displayName', 18: 'channel', 35: 'thinkingLevel', 37: 'verboseLevel',
  38: 'traceLevel', 39: 'reasoningLevel', 40: 'elevatedLevel', 41: 'responseUsage', 42: 'groupActivation', 70: 'modelProvider', 71: 'model',
  72: 'providerOverride', 73: 'modelOverride', 80: 'status', 122: 'sessionFile',
};
const NUMBERS: Readonly<Record<number, keyof SessionRow>> = { 4: 'updatedAtMs', 55: 'inputTokens', 56: 'outputTokens', 57: 'totalTokens', 61: 'contextTokens', 110: 'messageCount' };
const FLAGS: Readonly<Record<number, keyof SessionRow>> = { 58: 'totalTokensFresh', 84: 'systemSent', 85: 'abortedLastRun' };

/** The lower three bits of a tag. */
const WIRE_TYPE_MASK = 7;
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const TWO_TO_64 = 2n ** 64n;
const VARINT_BYTES_MAX = 10;

/** @throws Error for bytes that are no message */
export function decodeListRow(encoded: Uint8Array): SessionRow {
  const bytes = Buffer.isBuffer(encoded) ? encoded : Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
  const end = bytes.length;
  const row: Record<string, string | number | boolean | readonly string[]> = { key: '', agentId: '', childSessionKeys: [] };
  let at = 0;
  const varint = (): number => {
    let byte = bytes[at++] ?? 0;
    if (byte < 0x80) return byte;
    const start = at - 1;
    let value = byte & 0x7f;
    let factor = 0x80;
    while (byte >= 0x80 && at < end) {
      byte = bytes[at++] as number;
      value += (byte & 0x7f) * factor;
      factor *= 0x80;
    }
    return at - start === VARINT_BYTES_MAX ? signed(bytes.subarray(start, at)) : value;
  };
  while (at < end) {
    const tag = varint();
    const field = tag >>> 3;
    switch (tag & WIRE_TYPE_MASK) {
      case WIRE.varint: {
        const value = varint();
        const name = NUMBERS[field];
        if (name !== undefined) row[name] = value;
        else if (FLAGS[field] !== undefined) row[FLAGS[field]] = value !== 0;
        break;
      }
      case WIRE.bytes: {
        const length = varint();
        const name = TEXTS[field];
        if (name !== undefined) row[name] = bytes.toString('utf8', at, at + length);
        at += length;
        break;
      }
      case WIRE.fixed64:
        at += 8;
        break;
      case WIRE.fixed32:
        at += 4;
        break;
      default:
        throw new Error(`wire type ${tag & WIRE_TYPE_MASK} in a list row`);
    }
  }
  if (at !== end) throw new Error('a list row ends in the middle of a member');
  return row as unknown as SessionRow;
}

/** A varint of full length: a negative number. */
function signed(bytes: Uint8Array): number {
  let value = 0n;
  bytes.forEach((byte, index) => {
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
  });
  return Number(BigInt.asIntN(64, value % TWO_TO_64));
}

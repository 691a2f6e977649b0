/**
 * Size of a message that is passed by reference: an upper bound from one walk over its values, the
 * exact size by encoding only when the bound leaves it open.
 */

/** Tag and length or number of one protobuf field: never more than this, bytes. */
const FIELD_OVERHEAD = 16;

/** An upper bound of the encoded size, or the first partial sum above `stopAt`. Bytes. */
function upperBound(value: unknown, stopAt: number): number {
  let sum = 0;
  const open: unknown[] = [value];
  while (open.length > 0 && sum <= stopAt) {
    const next = open.pop();
    if (next === undefined || next === null) continue;
    sum += FIELD_OVERHEAD;
    if (typeof next === 'string') {
      sum += Buffer.byteLength(next);
    } else if (ArrayBuffer.isView(next)) {
      sum += next.byteLength;
    } else if (typeof next === 'object') {
      for (const [name, member] of Object.entries(next)) {
        // The name counts too: in a map it is the key. In a message that is too much, as a bound may be.
        sum += Array.isArray(next) ? 0 : Buffer.byteLength(name);
        open.push(member);
      }
    }
  }
  return sum;
}

/**
 * True when `value` encodes to at most `bound` bytes.
 *
 * @param encodedBytes exact size; called only when the cheap bound does not decide
 */
export function fits(value: unknown, bound: number, encodedBytes: () => number): boolean {
  return upperBound(value, bound) <= bound || encodedBytes() <= bound;
}

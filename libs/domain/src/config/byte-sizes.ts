import type { Verdict } from './options';

const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3, tb: 1024 ** 4 };
const SIZE = /^(\d+(?:\.\d+)?)\s*(b|kb|mb|gb|tb)?$/i;
const EXPECTED = 'must be a number of bytes or a size such as "500mb" (units b kb mb gb tb, 1024 based)';

/** Reads `"10gb"`, `"1.5 mb"` or a bare number, as whole bytes. Zero is zero in any unit. */
export function parseByteSize(value: unknown): Verdict<number> {
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) && value >= 0 ? { ok: true, value } : { ok: false, message: 'must be a whole number of bytes, at least 0' };
  }
  if (typeof value !== 'string') return { ok: false, message: EXPECTED };
  const match = SIZE.exec(value.trim());
  if (match === null) return { ok: false, message: EXPECTED };
  const [, amount = '', unit] = match;
  if (unit === undefined && amount.includes('.')) return { ok: false, message: 'must be a whole number of bytes, at least 0' };
  const exact = Number(amount) * (UNITS[(unit ?? 'b').toLowerCase()] ?? 1);
  const bytes = Math.floor(exact);
  if (!Number.isSafeInteger(bytes)) return { ok: false, message: 'is too large' };
  // A limit of zero means "off": a tiny one must not turn into it.
  if (bytes === 0 && exact > 0) return { ok: false, message: 'must be 0 or at least 1 byte' };
  return { ok: true, value: bytes };
}

/** Moments as a person writes them: a date, a time, or a span before now. */
import { SessionError, parseDuration } from '@sessions/domain';

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?$/;
const DAY_CHARS = '2026-06-01'.length;
const SPAN = /^\d+(\.\d+)?[a-z]+$/i;

/** @returns epoch milliseconds; a date begins at midnight UTC. Null: not given. @throws VALIDATION */
export function parseMoment(option: string, given: string | undefined, nowMs: number): number | null {
  if (given === undefined) return null;
  const text = given.trim();
  const span = SPAN.test(text) ? parseDuration(text, 'd') : undefined;
  if (span?.ok === true) return nowMs - span.value;
  const atMs = DATE.test(text) ? Date.parse(`${text}T00:00:00Z`) : TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(atMs) && atMs >= 0 && isDay(text.slice(0, DAY_CHARS))) return atMs;
  throw new SessionError('VALIDATION', `${option} must be a date, a time or a span, for example ${option} 2026-06-01 or ${option} 7d.`, { facts: { option, given } });
}

/** False for the 31st of February, which `Date.parse` takes for a day in March. */
function isDay(date: string): boolean {
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(date);
}

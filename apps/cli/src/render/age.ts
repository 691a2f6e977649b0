/**
 * Ages as people read them. An age is now − instant in milliseconds, negative for the future;
 * null when the instant is unknown.
 */
const MINUTE_MS = 60_000;
const HOUR_MINUTES = 60;
const HOURS_SHOWN_MAX = 48;
const DAY_HOURS = 24;

interface Span {
  readonly count: number;
  readonly unit: 'minute' | 'hour' | 'day';
}

/** Rounded to the unit that people would say; undefined below one minute. */
function toSpan(lengthMs: number): Span | undefined {
  const minutes = Math.round(lengthMs / MINUTE_MS);
  if (lengthMs < MINUTE_MS / 2 || minutes < 1) return undefined;
  if (minutes < HOUR_MINUTES) return { count: minutes, unit: 'minute' };
  const hours = Math.round(minutes / HOUR_MINUTES);
  if (hours < HOURS_SHOWN_MAX) return { count: hours, unit: 'hour' };
  return { count: Math.round(hours / DAY_HOURS), unit: 'day' };
}

/** `just now`, `5m ago`, `47h ago`, `3d ago`; the future as `in 5m`; `unknown`. */
export function formatShortAge(ageMs: number | null): string {
  if (ageMs === null) return 'unknown';
  const span = toSpan(Math.abs(ageMs));
  if (span === undefined) return 'just now';
  const text = `${span.count}${span.unit.charAt(0)}`;
  return ageMs < 0 ? `in ${text}` : `${text} ago`;
}

/** `just now`, `5 minutes ago`, `1 hour ago`, `3 days ago`; the future as `in 5 minutes`; `unknown`. */
export function formatLongAge(ageMs: number | null): string {
  if (ageMs === null) return 'unknown';
  const span = toSpan(Math.abs(ageMs));
  if (span === undefined) return 'just now';
  const text = `${span.count} ${span.unit}${span.count === 1 ? '' : 's'}`;
  return ageMs < 0 ? `in ${text}` : `${text} ago`;
}

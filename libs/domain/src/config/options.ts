/** What one configuration value may be: how it is read, what it is without, how it is described. */
import { parseByteSize } from './byte-sizes';
import { parseDuration, type DurationUnit } from './durations';

/** A value understood (with a note when it was held to its range), or what is allowed instead. */
export type Verdict<T> = { readonly ok: true; readonly value: T; readonly note?: string } | { readonly ok: false; readonly message: string };

export interface Option<T> {
  /** Type as documentation names it. */
  readonly type: string;
  /** Unit of a bare number. */
  readonly unit?: string;
  readonly fallback: T;
  /** Default as documentation prints it. */
  readonly defaultText: string;
  readonly meaning: string;
  /** Its value never appears in a problem. */
  readonly secret?: boolean;
  readonly parse: (raw: unknown) => Verdict<T>;
}

const fine = <T>(value: T, note?: string): Verdict<T> => ({ ok: true, value, ...(note === undefined ? {} : { note }) });
const refused = <T>(message: string): Verdict<T> => ({ ok: false, message });
const shown = (value: unknown): string => (value === undefined ? '–' : JSON.stringify(value));

/** One of a closed set of words; `aliases` are read as one of them. */
export function choice<const V extends readonly string[]>(values: V, fallback: V[number], meaning: string, aliases: Readonly<Record<string, V[number]>> = {}): Option<V[number]> {
  const isValue = (raw: string): raw is V[number] => values.includes(raw);
  return {
    type: values.map((value) => `"${value}"`).join(' | '),
    fallback,
    defaultText: shown(fallback),
    meaning,
    parse: (raw) => {
      const word = typeof raw === 'string' && Object.hasOwn(aliases, raw) ? aliases[raw] : raw;
      return typeof word === 'string' && isValue(word) ? fine(word) : refused(`must be one of ${values.map((value) => `"${value}"`).join(', ')}`);
    },
  };
}

export function bool(fallback: boolean, meaning: string): Option<boolean> {
  return { type: 'boolean', fallback, defaultText: shown(fallback), meaning, parse: (raw) => (typeof raw === 'boolean' ? fine(raw) : refused('must be true or false')) };
}

export interface Range {
  readonly min: number;
  readonly max?: number;
  readonly unit?: string;
  /** Above `max`: take `max` and say so, instead of refusing. */
  readonly holdToMax?: boolean;
  /** Fractions are allowed. */
  readonly fractional?: boolean;
}

export function int(fallback: number, range: Range, meaning: string): Option<number> {
  const { min, max = Number.MAX_SAFE_INTEGER } = range;
  const bounds = range.max === undefined ? `at least ${String(min)}` : `from ${String(min)} to ${String(max)}`;
  const noun = range.fractional === true ? 'a number' : 'a whole number';
  return {
    type: `${range.fractional === true ? 'number' : 'integer'}, ${bounds}`,
    ...(range.unit === undefined ? {} : { unit: range.unit }),
    fallback,
    defaultText: shown(fallback),
    meaning,
    parse: (raw) => {
      const whole = typeof raw === 'number' && (range.fractional === true ? Number.isFinite(raw) : Number.isSafeInteger(raw));
      if (!whole || raw < min) return refused(`must be ${noun}, ${bounds}`);
      if (raw <= max) return fine(raw);
      return range.holdToMax === true ? fine(max, `is held to ${String(max)}`) : refused(`must be ${noun}, ${bounds}`);
    },
  };
}

/** Milliseconds; a bare number counts in `unit`. `allowFalse` reads `false` as 0. */
export function duration(defaultText: string, unit: DurationUnit, meaning: string, options: { readonly allowFalse?: boolean } = {}): Option<number> {
  const fallback = parseDuration(defaultText, unit);
  return {
    type: options.allowFalse === true ? 'duration | false' : 'duration',
    unit,
    fallback: fallback.ok ? fallback.value : 0,
    defaultText: shown(defaultText),
    meaning,
    parse: (raw) => (raw === false && options.allowFalse === true ? fine(0) : parseDuration(raw, unit)),
  };
}

export function bytes(defaultText: string, meaning: string): Option<number> {
  const fallback = parseByteSize(defaultText);
  return { type: 'bytes', unit: 'b', fallback: fallback.ok ? fallback.value : 0, defaultText: shown(defaultText), meaning, parse: parseByteSize };
}

export function text(fallback: string, meaning: string): Option<string> {
  return {
    type: 'string',
    fallback,
    defaultText: shown(fallback),
    meaning,
    parse: (raw) => (typeof raw === 'string' && raw.trim() !== '' ? fine(raw) : refused('must be a non-empty string')),
  };
}

export function texts(fallback: readonly string[], meaning: string): Option<readonly string[]> {
  return {
    type: 'string[]',
    fallback,
    defaultText: shown(fallback),
    meaning,
    parse: (raw) =>
      Array.isArray(raw) && raw.every((item) => typeof item === 'string' && item.trim() !== '') ? fine([...(raw as readonly string[])]) : refused('must be a list of non-empty strings'),
  };
}

/** The same option without a default: absent means `undefined`; `defaultText` says what that does. */
export function optional<T>(option: Option<T>, defaultText = '–'): Option<T | undefined> {
  return { ...option, fallback: undefined, defaultText };
}

/**
 * The same option, where a text of digits only is refused unless it is zero: a limit that removes
 * things says its unit, or is a number in the key's own.
 */
export function withUnit<T>(option: Option<T>): Option<T> {
  const isBare = (raw: unknown): boolean => typeof raw === 'string' && /^[\d.]+$/.test(raw.trim()) && Number(raw) !== 0;
  return { ...option, parse: (raw) => (isBare(raw) ? refused('must be a number, or a text with its unit') : option.parse(raw)) };
}

/** The same option with values that no problem may print. */
export function secret<T>(option: Option<T>): Option<T> {
  return { ...option, secret: true };
}

/** Adds a test to the values an option accepts. */
export function where<T>(option: Option<T>, accepts: (value: T) => boolean, message: string): Option<T> {
  return {
    ...option,
    parse: (raw) => {
      const verdict = option.parse(raw);
      return verdict.ok && !accepts(verdict.value) ? refused(message) : verdict;
    },
  };
}

/** Hour of a day; fractions are floored and values outside the day held to it, with a note. */
export function hourOfDay(fallback: number, meaning: string): Option<number> {
  return {
    type: 'hour, 0 to 23',
    unit: 'h',
    fallback,
    defaultText: shown(fallback),
    meaning,
    parse: (raw) => {
      if (typeof raw !== 'number' || !Number.isFinite(raw)) return refused('must be an hour from 0 to 23');
      const hour = Math.min(23, Math.max(0, Math.floor(raw)));
      return hour === raw ? fine(hour) : fine(hour, `is held to ${String(hour)}`);
    },
  };
}

/** Name of a time zone in the IANA data base; offsets such as `+02:00` are no names. */
export function timeZone(meaning: string): Option<string | undefined> {
  return {
    type: 'IANA time zone',
    fallback: undefined,
    defaultText: "the host's zone",
    meaning,
    parse: (raw) => (typeof raw === 'string' && isTimeZone(raw) ? fine(raw) : refused('must be the IANA name of a time zone, such as "Europe/Berlin"')),
  };
}

function isTimeZone(name: string): boolean {
  if (!/^[a-z]/i.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

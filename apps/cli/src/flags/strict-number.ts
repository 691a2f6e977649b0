/** Numbers that change what is kept: digits and nothing else, so that a slip is refused instead of guessed at. */
import { SessionError } from '@sessions/domain';

const POSITIVE = /^[1-9][0-9]*$/u;

/** @returns undefined when not given. @throws VALIDATION for anything but a positive whole number in plain digits */
export function parseStrictPositive(option: string, given: string | undefined, example: string): number | undefined {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (POSITIVE.test(given) && Number.isSafeInteger(value)) return value;
  throw new SessionError('VALIDATION', `${option} must be a positive integer, for example ${option} ${example}.`, { facts: { option, given } });
}

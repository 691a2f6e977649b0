/**
 * The `code` of a system error such as `ENOENT`; undefined for anything else. Does not ask
 * `instanceof Error`: errors thrown by Node itself belong to another realm inside a test runner's sandbox.
 */
export function errorCodeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

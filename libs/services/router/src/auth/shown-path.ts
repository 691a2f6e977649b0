/** Where a store stands on the machine is for administrators of all of it; others see the place below the state directory. */
import { isRestricted } from './scopes';

/** @returns relative to `stateDir` (only the name of what stands elsewhere) for a caller that is restricted to some agents */
export function shownPath<T extends string | undefined>(path: T, scopes: readonly string[], stateDir: string): T {
  if (path === undefined || !isRestricted(scopes)) return path;
  const below = `${stateDir.replace(/[\\/]+$/, '')}/`;
  return (path.startsWith(below) ? path.slice(below.length) : (path.split(/[\\/]/).at(-1) ?? '')) as T;
}

/**
 * A map under names that users choose, as an object without prototype: looking up a channel
 * called `constructor` finds nothing.
 */
export function record<T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> {
  const members = Object.create(null) as Record<string, T>;
  for (const [name, value] of entries) members[name] = value;
  return members;
}

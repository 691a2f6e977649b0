/**
 * Where the compiled part of better-sqlite3 is. The usual search for it walks the stack and the disk
 * at each start, and finds nothing from within a bundle.
 */
export function nativeBindingPath(): string {
  return require.resolve('better-sqlite3/build/Release/better_sqlite3.node');
}

/** For switches that name every case; reached only when a value lies outside its type. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value ${String(value)}`);
}

/** The form in which JSON travels inside a message: the bytes of its text, so unknown members survive every hop. */
export function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

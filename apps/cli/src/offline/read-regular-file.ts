/** Whole files that may stand in a hostile directory: a pipe or device there must not make a reader wait. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** `code` of the error for a path that is neither a file nor a directory. */
export const NOT_REGULAR = 'ENOTREG';

/** @throws what open(2) and read(2) say; an error with code NOT_REGULAR, EISDIR for a directory */
export function readRegularFile(path: string): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = fstatSync(fd);
    if (!found.isFile() && !found.isDirectory()) throw Object.assign(new Error(`${path} is no regular file`), { code: NOT_REGULAR });
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

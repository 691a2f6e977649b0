/**
 * The directories on the way to one, the outermost first, itself last: to be made one by one. Node makes
 * all of them in one call too, which does not come back where a parent says that it is not there, as
 * those of /proc do.
 * @param directory absolute POSIX path, without `.` and `..`
 */
export function directoryChain(directory: string): string[] {
  const names = directory.split('/').filter((name) => name !== '');
  return names.map((_, at) => `/${names.slice(0, at + 1).join('/')}`);
}

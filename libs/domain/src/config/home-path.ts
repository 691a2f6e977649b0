/** A path with its leading `~` as the home directory; `~name` is no home directory that we know. */
export function expandHome(path: string, homeDir: string): string {
  return path.replace(/^~(?=$|[\\/])/, () => homeDir);
}

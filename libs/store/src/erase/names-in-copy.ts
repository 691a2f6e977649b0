/** Copies of a sessions file: a word that is too short to be looked for in bytes is found where it is a value of an entry. */
import * as fs from 'node:fs';
import { cleansingOf, isJsonObject, type NameTest } from '@sessions/domain';
import { scanSessionsFileSync } from '../sessions-file/scan-sessions-file';
import { openRegular } from './store-tree';

/** Whether one of its entries is the subject's, or names it; of a damaged copy, the entries before the damage. */
export function isCopyNaming(file: string, about: NameTest): boolean {
  const fd = openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return false;
  let isNamed = false;
  try {
    scanSessionsFileSync(fd, ({ key, value }) => {
      isNamed ||= about(key, { isWord: true, member: 'key' }) || (isJsonObject(value) && cleansingOf(value, about) !== undefined);
    });
  } catch {
    // No sessions file, or the part of one that a process left behind.
  } finally {
    fs.closeSync(fd);
  }
  return isNamed;
}

/** Which files of a store are the subject's own: by their names, and by what their headers say. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isJsonObject, isSessionId, parseStoreFile, sessionOfSuccessor } from '@sessions/domain';
import type { StoreLayout } from '../files/layout';
import { openRegular, type TreeFile } from './store-tree';

const HEADER_BYTES_MAX = 64 * 1024;

/** Copies that were set aside begin with the name of what they were cut from, and that with the session id. */
export function isNamedAfter(file: string, ids: ReadonlySet<string>): boolean {
  const [id = ''] = path.posix.basename(file).split('.', 1);
  return [id, id.replace(/-topic-.*$/, ''), sessionOfSuccessor(id) ?? ''].some((one) => ids.has(one));
}

/** Files named after the subject's sessions, and transcripts whose header says so. */
export function ownFiles(layout: StoreLayout, tree: readonly TreeFile[], known: { readonly keys: ReadonlySet<string>; readonly ids: Set<string>; readonly files: ReadonlySet<string>; readonly kept: ReadonlySet<string | undefined>; readonly keptBefore: ReadonlySet<string> }): TreeFile[] {
  const isOwn = ({ file, place }: TreeFile): boolean => {
    if (place.clearing !== 'files' || known.kept.has(file)) return false;
    const name = file.endsWith('.lock') ? file.slice(0, -'.lock'.length) : file;
    return known.files.has(name) || (parseStoreFile(name)?.sessionIds ?? []).some((id) => known.ids.has(id));
  };
  const own = tree.filter(isOwn);
  // A copy that came in under another key names the one it was begun under.
  const rest = tree.filter((one) => !own.includes(one) && one.place.clearing === 'files' && !known.kept.has(one.file) && !known.keptBefore.has(one.file));
  for (const one of rest) {
    const header = headerOf(path.join(layout.dir, one.file));
    if (header === undefined || !known.keys.has(header.key)) continue;
    known.ids.add(header.sessionId);
    own.push(one);
  }
  return own;
}

/** Our own headers say under which key a transcript was begun. */
function headerOf(file: string): { readonly key: string; readonly sessionId: string } | undefined {
  const fd = openRegular(file, fs.constants.O_RDONLY);
  if (fd === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(HEADER_BYTES_MAX);
    const count = fs.readSync(fd, bytes, 0, bytes.length, 0);
    const end = bytes.subarray(0, count).indexOf('\n');
    const value: unknown = JSON.parse(bytes.toString('utf8', 0, end === -1 ? count : end));
    if (!isJsonObject(value) || value['type'] !== 'session') return undefined;
    const { sessionKey, id } = value;
    return typeof sessionKey === 'string' && typeof id === 'string' && isSessionId(id) ? { key: sessionKey, sessionId: id } : undefined;
  } catch {
    return undefined;
  } finally {
    fs.closeSync(fd);
  }
}

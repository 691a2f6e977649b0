/**
 * What the files of a sessions directory are, by their names. Names that are not recognised belong to
 * nobody we know and are never touched, and neither are locks, links and directories.
 */
import { parseArchiveName, sessionOfSuccessor } from '../entry/entry-file';
import { isSessionId } from '../ids';
import type { FileClass } from './facts';

export interface StoreFile {
  readonly kind: 'transcript' | 'checkpoint' | 'trajectory' | 'archive' | 'index-backup' | 'temp' | 'prompt-blob';
  /** Sessions it may belong to, the whole name first: an id may look like a suffix. Empty: none. */
  readonly sessionIds: readonly string[];
  /** Class of the file when nothing refers to it; undefined: it is never unreferenced. */
  readonly fileClass: FileClass;
  /** From an archive's name. */
  readonly stampAtMs?: number;
}

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const CHECKPOINT = new RegExp(`^(.+)\\.checkpoint\\.${UUID}\\.jsonl$`, 'i');
const TEMP = new RegExp(`^sessions\\.json\\.(?:\\d+\\.)?${UUID}\\.tmp$`, 'i');
const INDEX_BACKUP = /^sessions\.json\.bak\.[0-9A-Za-z.:-]+$/;
const TRAJECTORY = /^(.+)\.(?:trajectory\.jsonl|trajectory-path\.json)$/;
const PROMPT_BLOB = /^skills-prompts\/sha256\/[0-9a-f]{2}\/[0-9a-f]{64}\.txt$/;
const ARCHIVE_CLASS = { reset: 'archive-reset', deleted: 'archive-deleted', bak: 'archive-bak' } as const;

/**
 * @param name relative to the sessions directory; files of `transcripts/` with that folder.
 * @returns undefined for names that are not ours to judge.
 */
export function parseStoreFile(name: string): StoreFile | undefined {
  if (PROMPT_BLOB.test(name)) return { kind: 'prompt-blob', sessionIds: [], fileClass: 'orphan-prompt-blob' };
  const file = name.startsWith('transcripts/') ? name.slice('transcripts/'.length) : name;
  if (file === '' || file.startsWith('.') || file.includes('/') || file.includes('\\')) return undefined;
  if (TEMP.test(file)) return { kind: 'temp', sessionIds: [], fileClass: 'stale-temp' };
  // Before archives: the original numbers the backups of its index, and stamps may stand there too.
  if (INDEX_BACKUP.test(file)) return { kind: 'index-backup', sessionIds: [], fileClass: 'archive-bak', ...stampOf(file) };
  const archive = parseArchiveName(file);
  if (archive !== undefined) return { kind: 'archive', fileClass: ARCHIVE_CLASS[archive.kind], sessionIds: sessionsOf(archive.base), stampAtMs: archive.atMs };
  const kind = CHECKPOINT.test(file) ? 'checkpoint' : TRAJECTORY.test(file) ? 'trajectory' : file.endsWith('.jsonl') ? 'transcript' : undefined;
  if (kind === undefined) return undefined;
  const sessionIds = sessionsOf(file);
  return sessionIds.length === 0 ? undefined : { kind, fileClass: `orphan-${kind}`, sessionIds };
}

function stampOf(file: string): { readonly stampAtMs?: number } {
  const stamp = parseArchiveName(file)?.atMs;
  return stamp === undefined ? {} : { stampAtMs: stamp };
}

/** Endings that name what a file is, each after the ones before it were taken off. */
const ENDINGS = [/\.trajectory-path\.json$/, /\.jsonl$/, /\.trajectory$/, new RegExp(`\\.checkpoint\\.${UUID}$`, 'i'), /\.corrupt-[^/]*$/, /\.jsonl$/, /-topic-[^/]*$/];

/**
 * Every id that the name could be of. A topic's transcript and a copy that a repair set aside belong
 * to the session they are named after; but an id may itself end like one of them.
 */
function sessionsOf(file: string): readonly string[] {
  const ids = new Set<string>();
  let base = file;
  for (const ending of ENDINGS) {
    const shorter = base.replace(ending, '');
    if (shorter === base) continue;
    base = shorter;
    if (isSessionId(base)) ids.add(base);
    const successor = sessionOfSuccessor(base);
    if (successor !== undefined) ids.add(successor);
  }
  return [...ids];
}

/**
 * Class of a file that nothing refers to, undefined for everything else.
 * @param isReferenced true when an entry, a list of checkpoints, `usageFamilySessionIds`, the journal
 * or the manifest names the session id, or the file by its name (decision 30).
 */
export function unreferencedClass(name: string, isReferenced: (idOrName: string) => boolean): FileClass | undefined {
  const file = parseStoreFile(name);
  if (file === undefined || file.kind === 'archive' || file.kind === 'index-backup') return undefined;
  if (file.kind === 'temp') return file.fileClass;
  return [name, ...file.sessionIds].some(isReferenced) ? undefined : file.fileClass;
}

/** Finds the archive that a restore means: the one named, else the newest of the key. */
import { storedSpellings, SessionError, fileStamp } from '@sessions/domain';
import { ARCHIVES_LIMIT_MAX, isKeyAmong, readArchiveFile, type AgentStore, type ArchiveFile, type ListedArchive, type StoredEntry } from '@sessions/store';
import type { ChosenArchive } from '../decisions/decide-restore';

/** Pages of the manifest that are looked through for one archive. */
const PAGES_MAX = 100;
const TOPIC = /-topic-.+$/;

export interface ArchiveChoice {
  readonly key: string;
  /** File name, session id or stamp. */
  readonly named: string | undefined;
  /** The live entry of the key. */
  readonly entry: StoredEntry | undefined;
}

/** @returns undefined when there is none, or the one named is another key's. @throws VALIDATION when a name means several sessions' archives. */
export async function chooseArchive(store: AgentStore, choice: ArchiveChoice): Promise<ChosenArchive | undefined> {
  const keys = new Set([...storedSpellings(choice.key), ...(choice.entry === undefined ? [] : [choice.entry.key])]);
  const isThereAndMeant = (archive: ListedArchive): boolean => archive.isThere && isMeant(archive, choice);
  // Two rows may have differed in case alone: the one that was named exactly is meant.
  const exact = new Set([choice.key, choice.key.replace(/^agent:[^:]*:/, '')]);
  const found = (await findLine(store, keys, (archive) => archive.key !== null && exact.has(archive.key) && isThereAndMeant(archive))) ?? (await findLine(store, keys, isThereAndMeant));
  if (found !== undefined) return chosen(found);
  // One that stands there with another length is no archive that is missing: the restore says what is wrong with it.
  const names = new Set((await store.files.archiveNames()).map(({ file }) => file));
  const changed = await findLine(store, keys, (archive) => archive.main !== undefined && names.has(archive.main.to) && isMeant(archive, choice));
  if (changed !== undefined) return chosen(changed);
  const byName = await chooseByName(store, choice);
  const file = byName?.files[0]?.to;
  // One person's words are not brought back into another's conversation.
  const isOfOther = await findLine(store, undefined, ({ key, files }) => key !== null && !isKeyAmong(key, keys) && files.some(({ to }) => to === file));
  return isOfOther === undefined ? byName : undefined;
}

/** The newest line of the manifest that fits, of some keys or of all. */
async function findLine(store: AgentStore, keys: ReadonlySet<string> | undefined, fits: (archive: ListedArchive) => boolean): Promise<ListedArchive | undefined> {
  let before: number | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { archives, nextBefore } = await store.files.archives({ ...(keys === undefined ? {} : { keys }), limit: ARCHIVES_LIMIT_MAX, ...(before === undefined ? {} : { before }) });
    const found = archives.find(fits);
    if (found !== undefined || nextBefore === undefined) return found;
    before = nextBefore;
  }
  return undefined;
}

function isMeant(archive: ListedArchive, { named, entry }: ArchiveChoice): boolean {
  // An entry whose files stayed: there is nothing to bring back while the key has a row.
  if (archive.main === undefined) return entry === undefined && (named === undefined || archive.sessionId === named);
  if (named !== undefined) return archive.main.to === named || archive.sessionId === named || stampsOf(archive).includes(named);
  // A truncation is undone where it was made; of a session that the key has left it is no way back.
  return archive.kind !== 'bak' || archive.main.from === entry?.file;
}

function stampsOf({ main }: ListedArchive): string[] {
  const name = main === undefined ? undefined : readArchiveFile(main.to);
  return name === undefined ? [] : [fileStamp(name.atMs), fileStamp(name.atMs).replace('.000Z', 'Z')];
}

function chosen({ kind, key, main, files, sessionId, atMs, entry }: ListedArchive): ChosenArchive {
  if (main === undefined) return { kind, key, files: [], sessionId: sessionId ?? '', atMs, entry };
  return { kind, key, files: [main, ...files.filter((file) => file !== main)], sessionId: sessionId ?? sessionOf(main.from), atMs, entry };
}

/** Archives that other programs made have no line: they are known by their names. */
async function chooseByName(store: AgentStore, { named, entry }: ArchiveChoice): Promise<ChosenArchive | undefined> {
  if (named === undefined && entry === undefined) return undefined;
  const all = (await store.files.archiveNames()).filter(({ original }) => original.endsWith('.jsonl') && !original.endsWith('.trajectory.jsonl'));
  const meant = all.filter((archive) => {
    if (named === undefined) return archive.original === entry?.file;
    return archive.file === named || sessionOf(archive.original) === named || fileStamp(archive.atMs) === named;
  });
  if (named !== undefined && new Set(meant.map(({ original }) => original)).size > 1) {
    throw new SessionError('VALIDATION', 'several archives match: name the file', { facts: { count: meant.length } });
  }
  const newest = meant.reduce<(ArchiveFile & { file: string }) | undefined>((best, archive) => (best === undefined || archive.atMs > best.atMs ? archive : best), undefined);
  if (newest === undefined) return undefined;
  const files = [{ from: newest.original, to: newest.file, bytes: 0, sha256: '' }];
  return { kind: newest.kind, key: null, files, sessionId: sessionOf(newest.original), atMs: newest.atMs, entry: undefined };
}

function sessionOf(original: string): string {
  const base = original.slice(original.lastIndexOf('/') + 1).replace(/\.jsonl$/, '');
  return base.replace(TOPIC, '');
}

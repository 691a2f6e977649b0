/**
 * What a reader has not had of a transcript that its key has left since, and of those that the key had
 * in between: of archives of this key, of those from which compactions led on, or of a run of this cron job. Of no other session, whatever id a client names.
 */
import { isJsonObject, storedSpellings, successorOf, transcriptsBefore, type JsonObject, type JsonValue } from '@sessions/domain';
import { ARCHIVES_LIMIT_MAX, HISTORY_LIMIT_MAX, readHistoryPage, type AgentStore, type HistoryPosition, type HistoryRecord } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { sessionEntry } from './stored-session';

/** Why a transcript goes on in another one after a compaction. */
export const COMPACTED = 'compact';
/** Pages of the manifest that are looked through for one archive. */
const PAGES_MAX = 10;

/** One of those; files are relative to the sessions directory. */
export interface LeftTranscript {
  readonly sessionId: string;
  readonly file: string;
  /** Why the next one came: `compact`, or the reason of a reset. Undefined: as the present entry says. */
  readonly leftBy: string | undefined;
}

/** @returns that one, and those that the key has had since, but the present; undefined: there is none that was this key's */
export async function leftTranscripts(store: AgentStore, key: string, sessionId: string): Promise<readonly LeftTranscript[] | undefined> {
  const live = await sessionEntry(store, { sessionId });
  if (live !== undefined) return live.key === `${key}:run:${sessionId}` && live.file !== null ? [{ sessionId, file: live.file, leftBy: undefined }] : undefined;
  const present = await sessionEntry(store, { key });
  const members = present === undefined ? undefined : (JSON.parse(present.text) as JsonValue);
  const through = stepsWithin(members, sessionId);
  if (through !== undefined) return through;
  // What a cut left behind is a state of a session, not its end. A line whose archive was brought back, or that had none, tells that the key was there all the same.
  const since = (await archivesSince(store, key, (archive) => isLeaving(archive) && leavesFrom(archive, sessionId)))?.filter(isLeaving);
  if (since === undefined) return undefined;
  const steps: LeftTranscript[] = [];
  since.forEach((archive, at) => {
    const before = at === 0 ? (stepsWithin(archive.entry, sessionId) ?? []) : begunSince(archive.entry, since[at - 1]);
    const { main, sessionId: id, isThere, reason } = archive;
    const leftBy = RESETS.has(reason) || BROUGHT_BACK.has(reason) ? reason : undefined;
    steps.push(...before);
    if (isThere && main !== undefined) steps.push({ sessionId: id ?? '', file: main.to, leftBy });
    // It is read where it stands by now; what came before it went on by what ended it.
    else steps.push({ sessionId: leftIdOf(archive), file: '', leftBy });
  });
  steps.push(...begunSince(members, since.at(-1)));
  return readable(steps, sessionId, present?.sessionId);
}

const RESETS: ReadonlySet<string> = new Set(['new', 'reset', 'clear', 'daily', 'idle', 'cron-run']);
const BROUGHT_BACK: ReadonlySet<string> = new Set(['restore', 'checkpoint-restore']);

/** A line that tells that the key went on from one transcript to another. */
const isLeaving = ({ kind, main }: Archive): boolean => main === undefined || kind !== 'bak';

/** The session that the key left: of a restore without anything to set aside, the line names what was brought back, and its entry what was left. */
function leftIdOf({ main, sessionId, entry }: Archive): string {
  const named = isJsonObject(entry) ? entry['sessionId'] : undefined;
  return (main === undefined && typeof named === 'string' ? named : sessionId) ?? '';
}

const leavesFrom = (archive: Archive, sessionId: string): boolean => leftIdOf(archive) === sessionId || stepsWithin(archive.entry, sessionId) !== undefined;

/**
 * Each once, where the key left it last, and without those that are no file of their own any more, but
 * the first, which a reader comes from.
 */
function readable(steps: readonly LeftTranscript[], from: string, present: string | null | undefined): LeftTranscript[] {
  const kept: LeftTranscript[] = [];
  steps.forEach((step, at) => {
    const isAgain = step.sessionId === present || steps.slice(at + 1).some(({ sessionId }) => sessionId === step.sessionId);
    if (at === 0 ? step.sessionId === from && step.sessionId !== present : step.file !== '' && !isAgain) kept.push(step);
    // It went on by whatever led on from what is passed over.
    else if (kept.length > 0) kept.push({ ...(kept.pop() as LeftTranscript), leftBy: step.leftBy });
  });
  return kept;
}

/** Compactions that led to the one that the entry names, since that one began; of what was brought back, since it was. */
function begunSince(entry: JsonValue | undefined, before: Archive | undefined): LeftTranscript[] {
  if (!isJsonObject(entry)) return [];
  if (before === undefined || !BROUGHT_BACK.has(before.reason)) return compactedBefore(entry);
  const listed = entry['compactionCheckpoints'];
  const isSince = (checkpoint: JsonValue): boolean => isJsonObject(checkpoint) && typeof checkpoint['createdAt'] === 'number' && checkpoint['createdAt'] >= before.atMs;
  return compactedBefore({ ...entry, compactionCheckpoints: Array.isArray(listed) ? (listed as readonly JsonValue[]).filter(isSince) : [] });
}

/** From this transcript to the one that the entry names, where compactions alone led there. */
function stepsWithin(entry: JsonValue | undefined, sessionId: string): LeftTranscript[] | undefined {
  const through = isJsonObject(entry) ? successorOf(entry, sessionId) : undefined;
  if (through === undefined || through.some(({ file }) => file === '')) return undefined;
  return through.map((step) => ({ ...step, leftBy: COMPACTED }));
}

/** All that led by compactions to the one that the entry names. */
function compactedBefore(entry: JsonObject): LeftTranscript[] {
  const first = transcriptsBefore(entry).find(({ sessionId }) => stepsWithin(entry, sessionId) !== undefined);
  return first === undefined ? [] : (stepsWithin(entry, first.sessionId) ?? []);
}

/** Whether messages of this transcript have had other numbers: its lines were cut at some time. */
export async function wasCut(store: AgentStore, key: string, sessionId: string): Promise<boolean> {
  return (await archiveOf(store, key, (archive) => archive.sessionId === sessionId && archive.kind === 'bak')) !== undefined;
}

type Archive = Awaited<ReturnType<AgentStore['files']['archives']>>['archives'][number];

/** The newest archive of the key that is meant. */
async function archiveOf(store: AgentStore, key: string, isMeant: (archive: Archive) => boolean): Promise<Archive | undefined> {
  return (await archivesSince(store, key, isMeant))?.[0];
}

/** That one, and those that came after it. */
async function archivesSince(store: AgentStore, key: string, isMeant: (archive: Archive) => boolean): Promise<readonly Archive[] | undefined> {
  const keys = new Set([...storedSpellings(key), key]);
  const since: Archive[] = [];
  let before: number | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { archives, nextBefore } = await store.files.archives({ keys, withMoves: true, limit: ARCHIVES_LIMIT_MAX, ...(before === undefined ? {} : { before }) });
    const at = archives.findIndex(isMeant);
    since.push(...(at === -1 ? archives : archives.slice(0, at + 1)));
    if (at !== -1) return since.reverse();
    if (nextBefore === undefined) return undefined;
    before = nextBefore;
  }
  return undefined;
}

/**
 * Messages behind one, oldest first, page by page. Nothing is appended to such a file any more: it is
 * walked through from its end once, and then read from the places found on the way.
 */
export async function* messagesBehind(agent: OwnedAgent, file: string, asked: { readonly afterSeq: number; readonly includeTools: boolean }): AsyncGenerator<HistoryRecord[]> {
  const { afterSeq, includeTools } = asked;
  const read = (place: HistoryPosition | undefined): Promise<Page | undefined> =>
    agent.use(({ store }) =>
      store.files.readTranscript(file, async (source, bytes) => {
        // The first look counts what there is.
        const from = place ?? { endOffset: bytes, beforeSeq: Number.MAX_SAFE_INTEGER };
        const { items, older } = await readHistoryPage(source, { ...from, limit: HISTORY_LIMIT_MAX, includeTools });
        const records = items.flatMap(({ seq, id = '', role, line }) => (seq === undefined || seq <= afterSeq ? [] : [{ messageSeq: seq, id, role, line }]));
        const isWhole = records.length < items.length || older === undefined || (older.totalMessages ?? 0) <= afterSeq;
        return { records, older: isWhole ? undefined : older };
      }),
    );
  // Of one that has no file left.
  if (file === '') return;
  const newest = await read(undefined);
  const places: HistoryPosition[] = [];
  for (let page = newest; page?.older !== undefined; page = await read(page.older)) places.push(page.older);
  for (const place of places.reverse()) yield (await read(place))?.records ?? [];
  yield newest?.records ?? [];
}

interface Page {
  readonly records: HistoryRecord[];
  /** Undefined: nothing older is wanted. */
  readonly older: HistoryPosition | undefined;
}

/**
 * What a reader has not had of a transcript that its key has left since, and of those that the key had
 * in between: of archives of this key, of those from which compactions led on, or of a run of this cron job. Of no other session, whatever id a client names.
 */
import { isJsonObject, storedSpellings, successorOf, transcriptsBefore, type JsonValue } from '@sessions/domain';
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
  // What a cut left behind is a state of a session, not its end.
  const archives = await archivesSince(store, key, (archive) => isUsable(archive) && (archive.sessionId === sessionId || stepsWithin(archive.entry, sessionId) !== undefined));
  const since = archives?.filter(isUsable) ?? [];
  const steps: LeftTranscript[] = [];
  const isNew = (step: LeftTranscript): boolean => step.sessionId !== present?.sessionId && !steps.some((other) => other.sessionId === step.sessionId);
  // What was brought back had its compactions before.
  const begun = (entry: JsonValue | undefined, why: string | undefined): LeftTranscript[] => (why !== undefined && BROUGHT_BACK.has(why) ? [] : compactedBefore(entry));
  since.forEach(({ main, sessionId: id, entry, reason }, at) => {
    const before = at === 0 ? (stepsWithin(entry, sessionId) ?? []) : begun(entry, since[at - 1]?.reason);
    const all = [...before, { sessionId: id ?? '', file: main?.to ?? '', leftBy: RESETS.has(reason) || BROUGHT_BACK.has(reason) ? reason : undefined }];
    steps.push(...all.filter(isNew));
  });
  if (steps.length === 0) return undefined;
  return [...steps, ...begun(members, since.at(-1)?.reason).filter(isNew)];
}

const RESETS: ReadonlySet<string> = new Set(['new', 'reset', 'clear', 'daily', 'idle', 'cron-run']);
const BROUGHT_BACK: ReadonlySet<string> = new Set(['restore', 'checkpoint-restore']);

const isUsable = ({ kind, main, isThere }: Archive): boolean => kind !== 'bak' && isThere && main !== undefined;

/** From this transcript to the one that the entry names, where compactions alone led there. */
function stepsWithin(entry: JsonValue | undefined, sessionId: string): LeftTranscript[] | undefined {
  const through = isJsonObject(entry) ? successorOf(entry, sessionId) : undefined;
  if (through === undefined || through.some(({ file }) => file === '')) return undefined;
  return through.map((step) => ({ ...step, leftBy: COMPACTED }));
}

/** All that led by compactions to the one that the entry names. */
function compactedBefore(entry: JsonValue | undefined): LeftTranscript[] {
  if (!isJsonObject(entry)) return [];
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
    const { archives, nextBefore } = await store.files.archives({ keys, limit: ARCHIVES_LIMIT_MAX, ...(before === undefined ? {} : { before }) });
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

/**
 * What a reader has not had of a transcript that its key has left since: of an archive of this key, of
 * one from which a compaction led on, or of a run of this cron job. Of no other session, whatever id a client names.
 */
import { isJsonObject, storedSpellings, successorOf, type JsonValue } from '@sessions/domain';
import { ARCHIVES_LIMIT_MAX, HISTORY_LIMIT_MAX, readHistoryPage, type AgentStore, type HistoryPosition, type HistoryRecord } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { sessionEntry } from './stored-session';

/** Pages of the manifest that are looked through for one archive. */
const PAGES_MAX = 10;

export interface LeftTranscripts {
  /** That one, and those that compactions led on to, but the present; at least one. Files are relative to the sessions directory. */
  readonly steps: readonly { readonly sessionId: string; readonly file: string }[];
  /** Compactions led on from it, not a reset. */
  readonly isRotated: boolean;
}

/** @returns undefined: there is none that was this key's */
export async function leftTranscripts(store: AgentStore, key: string, sessionId: string): Promise<LeftTranscripts | undefined> {
  const only = (file: string): LeftTranscripts => ({ steps: [{ sessionId, file }], isRotated: false });
  const live = await sessionEntry(store, { sessionId });
  if (live !== undefined) return live.key === `${key}:run:${sessionId}` && live.file !== null ? only(live.file) : undefined;
  const present = await sessionEntry(store, { key });
  const members = present === undefined ? undefined : (JSON.parse(present.text) as JsonValue);
  const through = isJsonObject(members) ? successorOf(members, sessionId) : undefined;
  if (through !== undefined && through.every(({ file }) => file !== '')) return { steps: through, isRotated: true };
  // What a cut left behind is a state of a session, not its end.
  const found = await archiveOf(store, key, (archive) => archive.sessionId === sessionId && archive.kind !== 'bak' && archive.isThere);
  return found?.main === undefined ? undefined : only(found.main.to);
}

/** Whether messages of this transcript have had other numbers: its lines were cut at some time. */
export async function wasCut(store: AgentStore, key: string, sessionId: string): Promise<boolean> {
  return (await archiveOf(store, key, (archive) => archive.sessionId === sessionId && archive.kind === 'bak')) !== undefined;
}

type Archive = Awaited<ReturnType<AgentStore['files']['archives']>>['archives'][number];

/** The newest archive of the key that is meant. */
async function archiveOf(store: AgentStore, key: string, isMeant: (archive: Archive) => boolean): Promise<Archive | undefined> {
  const keys = new Set([...storedSpellings(key), key]);
  let before: number | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { archives, nextBefore } = await store.files.archives({ keys, limit: ARCHIVES_LIMIT_MAX, ...(before === undefined ? {} : { before }) });
    const found = archives.find(isMeant);
    if (found !== undefined || nextBefore === undefined) return found;
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

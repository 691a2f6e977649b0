/**
 * What the index keeps of one entry: narrow columns for filters and order, the text that a search
 * looks through, and the list row ready-made as protobuf.
 */
import { SessionRow } from '@sessions/contracts';
import { OPEN_WORK_MEMBERS, isCronRunKey, nativeView, parseEntry, maintenanceFacts, searchTextOf, toSessionRow, type JsonObject, type MaintenanceFacts } from '@sessions/domain';
import { isOddIndexKey } from './index-key';
import { VISIBILITY, type Visibility } from './schema';

export interface EntryColumns {
  readonly visibility: Visibility;
  /** Epoch milliseconds; null when the entry has none. */
  readonly updatedAt: number | null;
  /** Order of lists: `updatedAt`, with 0 where it is missing. */
  readonly sortAt: number;
  readonly sessionId: string | null;
  /** Transcript's file name inside the store's directory. */
  readonly file: string | null;
  readonly label: string | null;
  readonly spawnedBy: string | null;
  readonly parentKey: string | null;
  readonly status: string | null;
  /** 1: the entry holds work that has not ended; its owner looks for such entries when it opens the store. */
  readonly openWork: 0 | 1;
  /** What a maintenance plan is made from; its label is the column of that name. */
  readonly facts: Omit<MaintenanceFacts, 'label'>;
  /** Lower-cased; searched as a substring. */
  readonly search: string;
  readonly row: Buffer;
}

/** What an import stores of an entry at once. */
export type ImportColumns = Omit<EntryColumns, 'row'>;

const UNLISTED: Omit<ImportColumns, 'facts'> = {
  visibility: VISIBILITY.unlisted,
  updatedAt: null,
  sortAt: 0,
  sessionId: null,
  file: null,
  label: null,
  spawnedBy: null,
  parentKey: null,
  status: null,
  openWork: 0,
  search: '',
};

/**
 * The narrow columns alone: what an import needs of each entry before lists can be answered. The
 * row and the search text, which cost more than all else, follow in the background.
 */
export function importColumns(key: string, value: unknown): ImportColumns {
  const entry = parseEntry(value);
  const facts = maintenanceFacts(key, value, entry);
  if (!entry.listed || isOddIndexKey(key)) return { ...UNLISTED, facts };
  const members = nativeView(entry.members);
  const text = (name: string): string | null => (typeof members[name] === 'string' ? members[name] : null);
  return {
    visibility: visibilityOf(key),
    updatedAt: entry.updatedAtMs,
    sortAt: entry.updatedAtMs ?? 0,
    sessionId: entry.sessionId,
    file: entry.file,
    label: text('label'),
    spawnedBy: text('spawnedBy'),
    parentKey: text('parentSessionKey'),
    status: text('status'),
    openWork: holdsOpenWork(entry.members),
    facts,
    search: '',
  };
}

/** @param messageCount user and assistant messages of a transcript, where they have been counted. */
export function entryColumns(key: string, agentId: string, value: unknown, messageCount: (file: string) => number | undefined): EntryColumns {
  const entry = parseEntry(value);
  const facts = maintenanceFacts(key, value, entry);
  if (!entry.listed || isOddIndexKey(key)) return { ...UNLISTED, facts, row: Buffer.alloc(0) };
  const count = entry.file === null ? undefined : messageCount(entry.file);
  const row = toSessionRow(key, entry, { agentId, ...(count === undefined ? {} : { messageCount: count }) });
  return {
    visibility: visibilityOf(key),
    updatedAt: entry.updatedAtMs,
    sortAt: entry.updatedAtMs ?? 0,
    sessionId: entry.sessionId,
    file: entry.file,
    label: row.label ?? null,
    spawnedBy: row.spawnedBy ?? null,
    parentKey: row.parentSessionKey ?? null,
    status: row.status ?? null,
    openWork: holdsOpenWork(entry.members),
    facts,
    search: searchTextOf(row),
    row: Buffer.from(SessionRow.encode(row).finish()),
  };
}

function holdsOpenWork(members: JsonObject): 0 | 1 {
  return OPEN_WORK_MEMBERS.some((name) => members[name] !== undefined) ? 1 : 0;
}

function visibilityOf(key: string): Visibility {
  if (key === 'global') return VISIBILITY.global;
  if (key === 'unknown') return VISIBILITY.unknown;
  return isCronRunKey(key) ? VISIBILITY.cronRun : VISIBILITY.listed;
}

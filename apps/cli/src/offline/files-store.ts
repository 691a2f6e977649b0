/** A store read from its files: entries through the store's reader, transcripts whole. */
import type { FileFacts, HistoryPage, HistoryQuery, NewestPage, NewestQuery, OfflineStore, SessionFiles, StoredEntry } from './offline-store';
import { nativeBindingPath } from './native-binding';
import type { StoreChoice } from './select-stores';
import { readTranscript } from './transcript-file';
import type { Transcript } from './transcript-file';
import { SessionRow } from '@sessions/contracts';
import { SessionError, activeBranch, isJsonObject, lookupCandidates, parseEntry, toSessionRow, transcriptFileOf } from '@sessions/domain';
import type { AgentId, TranscriptLine } from '@sessions/domain';
import { VISIBILITY, openStoreReader } from '@sessions/store';
import type { StoreReader } from '@sessions/store';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Bytes of transcripts that one listing reads to count messages; rows beyond have no count. */
export const COUNT_BYTES_MAX = 16 * 1024 * 1024;

const COUNTED_ROLES: ReadonlySet<string> = new Set(['user', 'assistant']);

/** The command line shows what the gateway hides: reserved keys and single cron runs. */
const SHOWN = [VISIBILITY.listed, VISIBILITY.global, VISIBILITY.unknown, VISIBILITY.cronRun];

function countMessages(transcript: Transcript): number {
  return activeBranch(transcript.lines).path.filter(({ role }) => role !== undefined && COUNTED_ROLES.has(role)).length;
}

/** When a line was written, as it says itself; undefined when it does not. */
function timestampOf({ value, atMs }: TranscriptLine): string | undefined {
  if (typeof value['timestamp'] === 'string') return value['timestamp'];
  return atMs === undefined ? undefined : new Date(atMs).toISOString();
}

export class FilesStore implements OfflineStore {
  readonly agentId: AgentId;
  readonly path: string;
  readonly #directory: string;

  constructor({ agentId, path }: StoreChoice) {
    this.agentId = agentId;
    this.path = path;
    this.#directory = dirname(path);
  }

  /** Opens the store for one answer: a command is short, and what it reads should be of one time. */
  async #read<Answer>(use: (reader: StoreReader) => Answer): Promise<Answer> {
    try {
      const reader = await openStoreReader({ agentId: this.agentId, sessionsFile: this.path, nativeBinding: nativeBindingPath() });
      try {
        return use(reader);
      } finally {
        reader.close();
      }
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** A scanner knows the place of the damage but not the file; people need both, and the way out. */
  #named(error: unknown): unknown {
    if (!(error instanceof SessionError) || error.reason !== 'STORE_UNREADABLE') return error;
    const why = error.message.startsWith(this.path) ? error.message.slice(this.path.length).trim() : error.message;
    return new SessionError('STORE_UNREADABLE', `The session store ${this.path} cannot be read: ${why}`, {
      facts: { ...error.facts, path: this.path },
      hint: 'Nothing was changed. "openclaw sessions verify" says what is left of it; "openclaw sessions verify --repair" mends it.',
      cause: error,
    });
  }

  async newest({ activeSinceMs, limit, countMessages: counting }: NewestQuery): Promise<NewestPage> {
    const { rows, totalCount, warning } = await this.#read((reader) => {
      const page = reader.list({
        visibilities: SHOWN,
        ...(activeSinceMs !== null && { updatedSinceMs: activeSinceMs }),
        limit: limit ?? Number.MAX_SAFE_INTEGER,
      });
      return { rows: page.encodedRows.map((bytes) => SessionRow.decode(bytes)), totalCount: page.totalCount, warning: reader.warning };
    });
    return { rows: counting ? this.#counted(rows) : rows, totalCount, ...(warning !== undefined && { warning }) };
  }

  #counted(rows: readonly SessionRow[]): SessionRow[] {
    const missing = rows.filter((row) => row.messageCount === undefined);
    const counts = this.#counts(missing.map((row) => (row.sessionId === undefined ? null : transcriptFileOf(row.sessionId, row.sessionFile))));
    const found = new Map(missing.map((row, index) => [row, counts[index]]));
    return rows.map((row) => (found.has(row) ? { ...row, messageCount: found.get(row) } : row));
  }

  /** Messages of each transcript; undefined for those that would read more than COUNT_BYTES_MAX. */
  #counts(files: readonly (string | null)[]): (number | undefined)[] {
    let budgetBytes = COUNT_BYTES_MAX;
    return files.map((file) => {
      const bytes = file === null ? undefined : this.#size(file);
      if (file === null || bytes === undefined) return 0;
      if (bytes > budgetBytes) return undefined;
      budgetBytes -= bytes;
      const transcript = readTranscript(this.#directory, file);
      return transcript === undefined ? undefined : countMessages(transcript);
    });
  }

  #size(name: string): number | undefined {
    const found = statSync(join(this.#directory, name), { throwIfNoEntry: false });
    return found?.isFile() === true ? found.size : undefined;
  }

  async find(keyOrSessionId: string): Promise<StoredEntry | undefined> {
    const found = await this.#read((reader) => reader.firstExisting([keyOrSessionId, ...lookupCandidates(keyOrSessionId)]) ?? reader.ofSession(keyOrSessionId));
    if (found === undefined) return undefined;
    const entry: unknown = JSON.parse(found.text);
    const parsed = parseEntry(entry);
    return {
      key: found.key,
      entry: isJsonObject(entry) ? entry : {},
      row: parsed.listed ? toSessionRow(found.key, parsed, { agentId: this.agentId }) : undefined,
      file: parsed.listed ? parsed.file : null,
    };
  }

  #transcript({ file }: StoredEntry): Transcript | undefined {
    return file === null ? undefined : readTranscript(this.#directory, file);
  }

  history(found: StoredEntry, { limit, beforeSeq, includeTools }: HistoryQuery): Promise<HistoryPage | undefined> {
    const transcript = this.#transcript(found);
    if (transcript === undefined) return Promise.resolve(undefined);
    const shown = activeBranch(transcript.lines).path.flatMap((line) => {
      const { message, role = 'unknown' } = line;
      const seq = transcript.seqs.get(line.number);
      if (message === undefined || seq === undefined || (beforeSeq !== null && seq >= beforeSeq)) return [];
      return role === 'toolResult' && !includeTools ? [] : [{ seq, role, timestamp: timestampOf(line), message }];
    });
    const messages = limit === null ? shown : shown.slice(Math.max(0, shown.length - limit));
    const hasMore = messages.length < shown.length;
    return Promise.resolve({ messages, totalCount: shown.length, hasMore, nextBefore: hasMore ? (messages[0]?.seq ?? null) : null });
  }

  files(found: StoredEntry): Promise<SessionFiles> {
    const transcript = this.#transcript(found);
    const ids = [found.entry['sessionId'], ...(Array.isArray(found.entry['usageFamilySessionIds']) ? found.entry['usageFamilySessionIds'] : [])];
    const bases = ids.filter((id): id is string => typeof id === 'string' && id !== '');
    const beside = this.#names().filter((file) => file !== found.file && bases.some((id) => file.startsWith(`${id}.`) || file.startsWith(`${id}-topic-`)));
    const facts = (files: readonly string[]): FileFacts[] => files.map((file) => ({ file, bytes: this.#size(file) ?? 0 }));
    const isArchive = (file: string): boolean => /\.(reset|deleted|bak)\.[^.]+(\.\d+)?Z$/u.test(file);
    return Promise.resolve({
      transcript: transcript === undefined ? null : {
        file: transcript.file,
        bytes: transcript.bytes,
        lines: transcript.linesCount,
        messages: transcript.seqs.size,
        malformedLines: transcript.malformedLines,
      },
      sidecars: facts(beside.filter((file) => !isArchive(file))),
      archives: facts(beside.filter(isArchive)),
    });
  }

  #names(): string[] {
    return readdirSync(this.#directory, { withFileTypes: true }).filter((found) => found.isFile()).map(({ name }) => name).sort();
  }
}

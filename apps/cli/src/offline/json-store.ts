/** A store read whole from its files, for stores without a usable index. */
import type { FileFacts, HistoryPage, HistoryQuery, NewestPage, NewestQuery, OfflineStore, SessionFiles, StoredEntry } from './offline-store';
import { readSessionsFile } from './read-sessions-file';
import type { StoreChoice } from './select-stores';
import { activeBranch, messageOf, readTranscript } from './transcript-file';
import type { Transcript } from './transcript-file';
import type { SessionRow } from '@sessions/contracts';
import { isJsonObject, lookupCandidates, parseEntry, toSessionRow } from '@sessions/domain';
import type { AgentId, JsonObject, ParsedEntry } from '@sessions/domain';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Bytes of transcripts that one listing reads to count messages; rows beyond have no count. */
export const COUNT_BYTES_MAX = 16 * 1024 * 1024;

const COUNTED_ROLES: ReadonlySet<string> = new Set(['user', 'assistant']);

type Listed = Extract<ParsedEntry, { listed: true }>;

const roleOf = (message: JsonObject): string => (typeof message['role'] === 'string' ? message['role'] : 'unknown');

function countMessages(transcript: Transcript): number {
  return activeBranch(transcript.records).filter(({ line }) => COUNTED_ROLES.has(roleOf(messageOf(line) ?? {}))).length;
}

/** What a message's line says about when it was written, as ISO text. */
function timestampOf(line: JsonObject): string | undefined {
  return typeof line['timestamp'] === 'string' ? line['timestamp'] : undefined;
}

export class JsonStore implements OfflineStore {
  readonly agentId: AgentId;
  readonly path: string;
  readonly #directory: string;

  constructor({ agentId, path }: StoreChoice) {
    this.agentId = agentId;
    this.path = path;
    this.#directory = dirname(path);
  }

  #listed(): { key: string; parsed: Listed }[] {
    return Object.entries(readSessionsFile(this.path) ?? {}).flatMap(([key, value]) => {
      const parsed = parseEntry(value);
      return parsed.listed ? [{ key, parsed }] : [];
    });
  }

  #row(key: string, parsed: Listed, messageCount?: number): SessionRow {
    return toSessionRow(key, parsed, { agentId: this.agentId, ...(messageCount !== undefined && { messageCount }) });
  }

  newest({ activeSinceMs, limit, countMessages: counting }: NewestQuery): Promise<NewestPage> {
    const listed = this.#listed();
    const matching = activeSinceMs === null ? listed : listed.filter(({ parsed }) => parsed.updatedAtMs !== null && parsed.updatedAtMs >= activeSinceMs);
    // The sort is stable: entries of the same time keep the order of the file.
    const sorted = matching.sort((one, other) => (other.parsed.updatedAtMs ?? 0) - (one.parsed.updatedAtMs ?? 0));
    const page = sorted.slice(0, limit ?? sorted.length);
    const counts = counting ? this.#counts(page.map(({ parsed }) => parsed.file)) : [];
    return Promise.resolve({ rows: page.map(({ key, parsed }, index) => this.#row(key, parsed, counts[index])), totalCount: sorted.length });
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

  find(keyOrSessionId: string): Promise<StoredEntry | undefined> {
    const entries = readSessionsFile(this.path) ?? {};
    for (const key of [keyOrSessionId, ...lookupCandidates(keyOrSessionId)]) {
      const entry = Object.hasOwn(entries, key) ? entries[key] : undefined;
      if (isJsonObject(entry)) return Promise.resolve(this.#stored(key, entry));
    }
    for (const [key, entry] of Object.entries(entries)) {
      if (isJsonObject(entry) && (entry['sessionId'] ?? entry['uuid']) === keyOrSessionId) return Promise.resolve(this.#stored(key, entry));
    }
    return Promise.resolve(undefined);
  }

  #stored(key: string, entry: JsonObject): StoredEntry {
    const parsed = parseEntry(entry);
    return { key, entry, row: parsed.listed ? this.#row(key, parsed) : undefined, file: parsed.listed ? parsed.file : null };
  }

  #transcript({ file }: StoredEntry): Transcript | undefined {
    return file === null ? undefined : readTranscript(this.#directory, file);
  }

  history(found: StoredEntry, { limit, beforeSeq, includeTools }: HistoryQuery): Promise<HistoryPage | undefined> {
    const transcript = this.#transcript(found);
    if (transcript === undefined) return Promise.resolve(undefined);
    const shown = activeBranch(transcript.records).flatMap(({ line, seq }) => {
      const message = messageOf(line);
      if (message === undefined || seq === null || (beforeSeq !== null && seq >= beforeSeq)) return [];
      const role = roleOf(message);
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
        lines: transcript.lines,
        messages: transcript.records.filter(({ seq }) => seq !== null).length,
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

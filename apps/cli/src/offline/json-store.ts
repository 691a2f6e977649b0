/** A store read whole from its files, for stores without a usable index. */
import type { FileFacts, HistoryPage, HistoryQuery, NewestPage, NewestQuery, OfflineStore, SessionFiles, StoredEntry } from './offline-store';
import { readSessionsFile } from './read-sessions-file';
import { listedEntry, listedUpdatedAt } from './row-rules';
import type { StoreChoice } from './select-stores';
import { activeBranch, messageOf, readTranscript, transcriptName } from './transcript-file';
import type { Transcript } from './transcript-file';
import { isJsonObject, lookupCandidates } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Bytes of transcripts that one listing reads to count messages; rows beyond have no count. */
export const COUNT_BYTES_MAX = 16 * 1024 * 1024;

const COUNTED_ROLES: ReadonlySet<string> = new Set(['user', 'assistant']);

const roleOf = (message: JsonObject): string => (typeof message['role'] === 'string' ? message['role'] : 'unknown');

function countMessages(transcript: Transcript): number {
  return activeBranch(transcript.records).filter(({ line }) => COUNTED_ROLES.has(roleOf(messageOf(line) ?? {}))).length;
}

/** What a message's line says about when it was written, as ISO text. */
function timestampOf(line: JsonObject): string | undefined {
  return typeof line['timestamp'] === 'string' ? line['timestamp'] : undefined;
}

export class JsonStore implements OfflineStore {
  readonly agentId: string;
  readonly path: string;
  readonly #directory: string;

  constructor({ agentId, path }: StoreChoice) {
    this.agentId = agentId;
    this.path = path;
    this.#directory = dirname(path);
  }

  #entries(): StoredEntry[] {
    return Object.entries(readSessionsFile(this.path) ?? {}).flatMap(([key, value]) => {
      const entry = listedEntry(value);
      if (entry === undefined) return [];
      const counted = entry['messageCount'];
      return [{ key, entry, ...(typeof counted === 'number' && Number.isSafeInteger(counted) && counted >= 0 && { messageCount: counted }) }];
    });
  }

  newest({ activeSinceMs, limit, countMessages: counting }: NewestQuery): Promise<NewestPage> {
    const dated = this.#entries().map((found) => ({ found, updatedAt: listedUpdatedAt(found.entry) }));
    const matching = activeSinceMs === null ? dated : dated.filter(({ updatedAt }) => updatedAt !== null && updatedAt >= activeSinceMs);
    // The sort is stable: entries of the same time keep the order of the file.
    const sorted = matching.sort((one, other) => (other.updatedAt ?? 0) - (one.updatedAt ?? 0)).map(({ found }) => found);
    const page = sorted.slice(0, limit ?? sorted.length);
    return Promise.resolve({ entries: counting ? this.#counted(page) : page, totalCount: sorted.length });
  }

  #counted(entries: readonly StoredEntry[]): StoredEntry[] {
    let budgetBytes = COUNT_BYTES_MAX;
    return entries.map((found) => {
      const name = found.messageCount === undefined ? transcriptName(this.#directory, found.entry) : undefined;
      if (name === undefined) return found;
      const bytes = this.#size(name);
      if (bytes === undefined || bytes > budgetBytes) return bytes === undefined ? { ...found, messageCount: 0 } : found;
      budgetBytes -= bytes;
      const transcript = readTranscript(this.#directory, name);
      return transcript === undefined ? found : { ...found, messageCount: countMessages(transcript) };
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
      if (isJsonObject(entry)) return Promise.resolve({ key, entry });
    }
    const bySession = Object.entries(entries).find(([, entry]) => isJsonObject(entry) && (entry['sessionId'] ?? entry['uuid']) === keyOrSessionId);
    return Promise.resolve(bySession !== undefined && isJsonObject(bySession[1]) ? { key: bySession[0], entry: bySession[1] } : undefined);
  }

  #transcript({ entry }: StoredEntry): Transcript | undefined {
    const name = transcriptName(this.#directory, entry);
    return name === undefined ? undefined : readTranscript(this.#directory, name);
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
    const name = transcriptName(this.#directory, found.entry);
    const ids = [found.entry['sessionId'], ...(Array.isArray(found.entry['usageFamilySessionIds']) ? found.entry['usageFamilySessionIds'] : [])];
    const bases = ids.filter((id): id is string => typeof id === 'string' && id !== '');
    const beside = this.#names().filter((file) => file !== name && bases.some((id) => file.startsWith(`${id}.`) || file.startsWith(`${id}-topic-`)));
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

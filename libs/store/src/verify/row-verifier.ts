/** Checks one entry at a time, together with the transcript it names. Reads only. */
import type { FileHandle } from 'node:fs/promises';
import { SessionError, familyFilesOf, familyIdsOf, headerIdOf, isJsonObject, isSessionId, transcriptFileOf } from '@sessions/domain';
import { errorCodeOf } from '../files/error-code';
import type { StoreRoot } from '../files/safe-path';
import { KeyFingerprints } from '../sessions-file/key-fingerprints';
import { checkTranscript, type TranscriptCheck } from './check-transcript';
import type { FindingList } from './findings';
import type { IndexView } from './index-view';
import type { VerifyTotals } from './verify-store';

export interface RowVerifierParts {
  /** The store's directory; undefined when there is none. */
  readonly root: StoreRoot | undefined;
  readonly list: FindingList;
  readonly totals: VerifyTotals;
  readonly index: IndexView | undefined;
  /** An owner is writing: the index may be a moment behind the transcripts, or ahead of them. */
  readonly live: boolean;
}

/** Session ids that the original refuses to list: they could not be told from a path. */
const UNSAFE_ID = /[/\\\0]|\.\./;
const ID_LENGTH_MAX = 255;

interface EntryFacts {
  readonly sessionId: string;
  readonly sessionFile: string | undefined;
  /** What the header of its transcript calls it. */
  readonly headerId: string;
  /** A turn has run: there must be a transcript. */
  readonly used: boolean;
  /** Further session ids whose files this entry explains. */
  readonly alsoNames: readonly string[];
}

type Opened = { readonly handle: FileHandle; readonly file: string } | 'missing' | 'refused';

export class RowVerifier {
  readonly #parts: RowVerifierParts;
  readonly #names = new KeyFingerprints();
  readonly #checked = new KeyFingerprints();

  constructor(parts: RowVerifierParts) {
    this.#parts = parts;
  }

  /** True when some row, or a call of `explain`, names this session id or file. */
  explains(name: string): boolean {
    return this.#names.has(Buffer.from(name));
  }

  explain(name: string): void {
    this.#names.add(Buffer.from(name));
  }

  async verify(key: string, value: unknown): Promise<void> {
    const { list } = this.#parts;
    const facts = readEntry(value);
    if (!facts) {
      list.add('entry-invalid', 'the entry is no object with a session id; it is kept and not listed', { key });
      return;
    }
    for (const name of [facts.sessionId, ...facts.alsoNames]) this.explain(name);
    if (UNSAFE_ID.test(facts.sessionId) || facts.sessionId.length > ID_LENGTH_MAX) {
      list.add('unsafe-session-id', 'the session id could be taken for a path; the entry is kept and not listed', { key });
      return;
    }
    const opened = await this.#openTranscript(key, facts);
    if (opened === 'refused') return;
    if (opened === 'missing') this.#missing(key, facts);
    else await this.#check(key, facts, opened.handle, opened.file);
  }

  /** Opens what the entry names: the recorded file, else the canonical one. */
  async #openTranscript(key: string, facts: EntryFacts): Promise<Opened> {
    const { list } = this.#parts;
    const recorded = recordedFileOf(facts);
    if (facts.sessionFile !== undefined && recorded === undefined) {
      list.add('unsafe-session-file', 'the recorded transcript lies outside the store, or is no transcript by its name, and is ignored', { key });
    }
    const canonical = isSessionId(facts.sessionId) ? `${facts.sessionId}.jsonl` : undefined;
    for (const file of new Set([recorded, canonical])) {
      if (file === undefined) continue;
      this.explain(file);
      const opened = await this.#open(key, file);
      if (opened === 'missing') continue;
      if (opened !== 'refused' && recorded !== undefined && file !== recorded) {
        list.add('wrong-session-file', 'the recorded transcript does not exist, the one named by the session id does', { key, file: recorded });
      }
      return opened;
    }
    return 'missing';
  }

  async #open(key: string, file: string): Promise<Opened> {
    const { root, list } = this.#parts;
    try {
      const handle = await root?.open(file);
      return handle ? { handle, file } : 'missing';
    } catch (error) {
      if (error instanceof SessionError && error.reason === 'VALIDATION') {
        list.add('unsafe-session-file', 'the transcript is reached through a link that leads out of the store', { key, file });
      } else if (error instanceof SessionError) {
        list.add('not-a-regular-file', 'a link, directory or device stands where the transcript should be', { key, file });
      } else list.add('transcript-unreadable', `the transcript cannot be opened (${errorCodeOf(error) ?? 'unknown error'})`, { key, file });
      return 'refused';
    }
  }

  #missing(key: string, facts: EntryFacts): void {
    const { list, index } = this.#parts;
    const file = transcriptFileOf(facts.sessionId, facts.sessionFile);
    // Safe, but no file name: such a row is listed without a session id and never had a transcript.
    if (file === null) return;
    const known = index?.transcript(file)?.bytes ?? 0;
    if (known > 0) list.add('transcript-missing', `the transcript is gone; it had ${known} bytes`, { key, file });
    else if (facts.used) list.add('transcript-missing', 'the entry has been used but its transcript is not there', { key, file });
    else list.add('transcript-not-begun', 'there is no transcript yet', { key, file });
  }

  async #check(key: string, facts: EntryFacts, handle: FileHandle, file: string): Promise<void> {
    let check: TranscriptCheck;
    try {
      // Two rows may share a transcript: it is read once.
      if (this.#checked.add(Buffer.from(file))) return;
      check = await checkTranscript(handle);
    } catch (error) {
      this.#parts.list.add('transcript-unreadable', `the transcript cannot be read (${errorCodeOf(error) ?? 'unknown error'})`, { key, file });
      return;
    } finally {
      await handle.close();
    }
    const { totals } = this.#parts;
    totals.transcripts += 1;
    totals.transcriptBytes += check.scan.bytes;
    totals.lines += check.scan.lines;
    totals.messages += check.scan.messageCount;
    totals.malformedLines += check.scan.malformedLines;
    this.#report(key, file, check);
    if (check.scan.headerId !== null && check.scan.headerId !== facts.sessionId && check.scan.headerId !== facts.headerId) {
      this.#parts.list.add('header-names-other-session', 'the header of the transcript names another session id than the entry', { key, file });
    }
    this.#compareWithIndex(key, file, check);
  }

  #report(key: string, file: string, check: TranscriptCheck): void {
    const { list, live } = this.#parts;
    const { scan } = check;
    const where = { key, file };
    if (scan.malformedLines > 0) list.add('malformed-lines', `${scan.malformedLines} of ${scan.lines} lines cannot be read; they are skipped and kept`, where);
    else if (scan.messageCount === 0 && scan.tornTailBytes === 0 && !check.hasSummary) list.add('transcript-without-messages', 'the transcript holds no message', where);
    // A living owner may be in the middle of this very line.
    if (scan.tornTailBytes > 0 && !live) list.add('torn-tail', `${scan.tornTailBytes} bytes after the last complete line, at byte ${scan.completeBytes}`, where);
    if (check.brokenParentsCount > 0) {
      list.add('broken-parents', `${check.brokenParentsCount} lines name a parent that does not stand before them, the first is line ${check.firstBrokenLine}`, where);
    }
    if (check.duplicateIdsCount > 0) list.add('duplicate-line-ids', `${check.duplicateIdsCount} lines repeat the id of an earlier line`, where);
    if (check.callsWithoutResultCount + check.resultsWithoutCallCount > 0) {
      list.add('unpaired-tool-calls', `${check.callsWithoutResultCount} tool calls without a result, ${check.resultsWithoutCallCount} results without a call`, where);
    }
  }

  #compareWithIndex(key: string, file: string, { scan }: TranscriptCheck): void {
    const { index, live, list } = this.#parts;
    const known = index?.transcript(file);
    if (!known || (live && known.bytes !== scan.completeBytes)) return;
    const differences: string[] = [];
    const compare = (what: string, indexed: string | number | null, found: string | number | null): void => {
      if (indexed !== found) differences.push(`${what} ${indexed ?? 'none'} instead of ${found ?? 'none'}`);
    };
    if (known.bytes !== scan.bytes) compare('bytes', known.bytes, scan.completeBytes);
    if (differences.length === 0) {
      compare('messages', known.messages, scan.messageCount);
      compare('user and assistant messages', known.exchanges, scan.userAssistantCount);
      compare('leaf', known.leafId, scan.leafId);
      compare('format', known.kind, scan.kind);
    }
    if (differences.length > 0) list.add('index-transcript-differs', `the index says ${differences.join(', ')}`, { key, file });
  }
}

/** The file that `sessionFile` names inside the store; undefined when it names none. */
function recordedFileOf({ sessionFile }: EntryFacts): string | undefined {
  const noId = '';
  return sessionFile === undefined ? undefined : (transcriptFileOf(noId, sessionFile) ?? undefined);
}

function readEntry(entry: unknown): EntryFacts | undefined {
  if (!isJsonObject(entry)) return undefined;
  const sessionId = textOf(entry['sessionId']) ?? textOf(entry['uuid']);
  if (sessionId === undefined) return undefined;
  const tokens = entry['totalTokens'];
  const messages = entry['messageCount'];
  return {
    sessionId,
    sessionFile: textOf(entry['sessionFile']),
    headerId: headerIdOf(entry, sessionId) ?? sessionId,
    used: entry['systemSent'] === true || (typeof tokens === 'number' && tokens > 0) || (typeof messages === 'number' && messages > 0),
    alsoNames: [...familyIdsOf(entry), ...familyFilesOf(entry), textOf(entry['previousSessionId']) ?? ''].filter((name) => name !== ''),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * Compares everything a store consists of and says what does not fit: `sessions.json`, the session
 * index, journal, transcripts, locks, archives and names. Reads only, streams, and keeps no more than some
 * bytes for each key and line, so that a store of a million entries can be verified.
 *
 * A running owner does not disturb it: the index is read in one view, the sessions file through one
 * descriptor, and the two are compared only when the index says that it is this file that it knows.
 */
import { readdir, type FileHandle } from 'node:fs/promises';
import * as path from 'node:path';
import { SessionError } from '@sessions/domain';
import { errorCodeOf } from '../files/error-code';
import { sameIdentity, type FileIdentity } from '../files/file-system';
import { storeLayout, type StoreLayout } from '../files/layout';
import { StoreRoot, isFileInside, openInside } from '../files/safe-path';
import { toIndexKey } from '../session-index/index-key';
import { isIndexDamage } from '../session-index/open-database';
import { KeyFingerprints } from '../sessions-file/key-fingerprints';
import { scanSessionsFile } from '../sessions-file/scan-sessions-file';
import { FINDINGS_MAX, FindingList, type Finding } from './findings';
import { neighbourStoresSync } from '../files/neighbour-stores';
import { IndexView } from './index-view';
import { RowVerifier } from './row-verifier';
import { verifyManifest, verifyNames } from './verify-directory';
import { verifyJournal } from './verify-journal';
import { verifyUsage } from './verify-usage';

/** A checkpoint may replace the file between the two looks; then both are taken again. */
const LOOKS_MAX = 3;
/** Rows with the older spelling `dm` that are compared with their `direct` twins. */
const ALIASES_MAX = 10_000;
/** Keys with other bytes in the index that are remembered; one is enough to have the index made again. */
const DIFFERING_MAX = 2 * FINDINGS_MAX;
/** One report of progress for so many things done. */
const PROGRESS_STEP = 1_000;

export interface VerifyTotals {
  entries: number;
  sessionsFileBytes: number;
  transcripts: number;
  transcriptBytes: number;
  lines: number;
  messages: number;
  malformedLines: number;
  /** Archives that the manifest names and that are there. */
  archives: number;
  archiveBytes: number;
  orphans: number;
  /** Findings beyond FINDINGS_MAX: counted, not listed. */
  findingsOmitted: number;
}

export interface StoreReport {
  readonly agentId: string;
  /** Of the sessions file. */
  readonly path: string;
  /** False when something promised does not hold; notices leave it true. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  readonly totals: Readonly<VerifyTotals>;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly stores: readonly StoreReport[];
}

export interface VerifyProgress {
  readonly agentId: string;
  readonly phase: 'entries' | 'archives' | 'names';
  readonly doneCount: number;
}

export interface VerifyOptions {
  readonly nowMs: () => number;
  /** An owner is writing this store; see isStoreHeld. */
  readonly live?: boolean;
  /** True when open work (a record of the journal) names this session id. */
  readonly namedElsewhere?: (sessionId: string) => boolean;
  /** Path of better_sqlite3.node where a bundle cannot find it by itself. */
  readonly nativeBinding?: string;
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Ends the run early, by throwing the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Verifies one store after the other. */
export async function verifyStores(stores: readonly { readonly agentId: string; readonly sessionsFile: string }[], options: VerifyOptions): Promise<VerifyReport> {
  const reports: StoreReport[] = [];
  for (const { agentId, sessionsFile } of stores) reports.push(await verifyStore(agentId, sessionsFile, options));
  return { ok: reports.every((report) => report.ok), stores: reports };
}

/** @param sessionsFile absolute path; need not exist. */
export async function verifyStore(agentId: string, sessionsFile: string, options: VerifyOptions): Promise<StoreReport> {
  const layout = storeLayout(agentId, sessionsFile);
  try {
    return await new StoreVerification(layout, options, undefined).run();
  } catch (error) {
    if (!isIndexDamage(error)) throw error;
    return new StoreVerification(layout, options, errorCodeOf(error) ?? 'unknown error').run();
  }
}

type SessionsFile = { readonly state: 'open'; readonly handle: FileHandle; readonly identity: FileIdentity } | { readonly state: 'missing' | 'refused' };

class StoreVerification {
  readonly #layout: StoreLayout;
  readonly #options: VerifyOptions;
  readonly #indexDamage: string | undefined;
  readonly #list = new FindingList();
  readonly #totals: VerifyTotals = {
    entries: 0,
    sessionsFileBytes: 0,
    transcripts: 0,
    transcriptBytes: 0,
    lines: 0,
    messages: 0,
    malformedLines: 0,
    archives: 0,
    archiveBytes: 0,
    orphans: 0,
    findingsOmitted: 0,
  };
  readonly #keys = new KeyFingerprints();
  readonly #aliases: { readonly key: string; readonly twin: string }[] = [];
  /** Keys whose bytes are not those of the index; the value says whether the index has the key. */
  readonly #differing = new Map<string, boolean>();
  #doneCount = 0;

  /** @param indexDamage what SQLite said in an earlier run; the index is left out of this one. */
  constructor(layout: StoreLayout, options: VerifyOptions, indexDamage: string | undefined) {
    this.#layout = layout;
    this.#options = options;
    this.#indexDamage = indexDamage;
  }

  async run(): Promise<StoreReport> {
    const { index, file } = await this.#look();
    let root: StoreRoot | undefined;
    try {
      root = await StoreRoot.hold(this.#layout.dir);
      const rows = new RowVerifier({ root, list: this.#list, totals: this.#totals, index, live: this.#options.live === true });
      const rowsComplete = await this.#verifyRows(rows, file, index);
      this.#step('archives');
      const unfinished = this.#options.live === true ? new Set<string>() : await verifyJournal({ layout: this.#layout, list: this.#list, rows });
      const parts = {
        layout: this.#layout,
        list: this.#list,
        totals: this.#totals,
        rows,
        rowsComplete,
        namedElsewhere: this.#options.namedElsewhere ?? (() => false),
        unfinished,
        listed: new Set<string>(),
        nowMs: this.#options.nowMs,
        onName: () => this.#step('names'),
      };
      await verifyManifest(parts);
      await verifyUsage(parts);
      await verifyNames(parts);
    } finally {
      index?.close();
      await root?.close();
      if (file.state === 'open') await file.handle.close();
    }
    this.#totals.findingsOmitted = this.#list.omittedCount;
    return { agentId: this.#layout.agentId, path: this.#layout.sessionsFile, ok: this.#list.ok, findings: this.#list.findings, totals: this.#totals };
  }

  /** Index and file as of one moment, as far as that can be had. */
  async #look(): Promise<{ index: IndexView | undefined; file: SessionsFile }> {
    for (let look = 1; ; look += 1) {
      this.#list.clear();
      const index = await this.#openIndex();
      const file = await this.#openSessionsFile();
      const known = index?.sessionsFileIdentity;
      const settled = !index || file.state !== 'open' || sameIdentity(known, file.identity);
      if (settled || look === LOOKS_MAX) {
        if (!settled) this.#list.add('sessions-file-changed', 'the file was changed since the last checkpoint; the owner merges it');
        return { index, file };
      }
      index.close();
      await file.handle.close();
    }
  }

  async #openIndex(): Promise<IndexView | undefined> {
    const { dir, indexFile, ownerFile } = this.#layout;
    const file = path.relative(dir, indexFile);
    if (this.#indexDamage !== undefined) {
      this.#list.add('index-unreadable', `the session index cannot be read (${this.#indexDamage})`, { file });
      return undefined;
    }
    try {
      // Never opened but by SQLite: an owner in this process has locks on it.
      if (!(await isFileInside(dir, file))) {
        if (await isFileInside(dir, path.relative(dir, ownerFile))) this.#list.add('index-missing', 'the store has had an owner but has no session index; it is made at the next start', { file });
        return undefined;
      }
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      this.#list.add('not-a-regular-file', 'a link or directory stands in place of the session index', { file });
      return undefined;
    }
    const index = this.#view(file);
    if (index === undefined) return undefined;
    if (index.hasOurFormat) return index;
    index.close();
    this.#list.add('index-outdated', 'the session index has another format and is made again at the next start', { file });
    return undefined;
  }

  /** @returns undefined for one that SQLite has to mend before anybody reads it: a reader writes nothing. */
  #view(file: string): IndexView | undefined {
    try {
      return new IndexView(this.#layout.indexFile, this.#options.nativeBinding);
    } catch (error) {
      if (errorCodeOf(error)?.startsWith('SQLITE_READONLY') !== true) throw error;
      this.#list.add('index-unfinished', 'a change of the session index was cut short; the next start takes it back', { file });
      return undefined;
    }
  }

  async #openSessionsFile(): Promise<SessionsFile> {
    const { dir, sessionsFile } = this.#layout;
    try {
      const handle = await openInside(dir, sessionsFile);
      if (!handle) return { state: 'missing' };
      const stats = await handle.stat({ bigint: true });
      return { state: 'open', handle, identity: { size: Number(stats.size), mtimeNs: stats.mtimeNs, inode: stats.ino } };
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      this.#list.add('sessions-file-unreadable', 'a link, directory or device stands in place of the sessions file', { file: path.basename(sessionsFile) });
      return { state: 'refused' };
    }
  }

  /** @returns whether every row is known, so that a name without one is an orphan. */
  async #verifyRows(rows: RowVerifier, file: SessionsFile, index: IndexView | undefined): Promise<boolean> {
    const name = path.basename(this.#layout.sessionsFile);
    let lost = file.state === 'refused';
    if (file.state === 'open' && file.identity.size > 0) {
      const comparable = index !== undefined && sameIdentity(index.sessionsFileIdentity, file.identity);
      this.#totals.sessionsFileBytes = file.identity.size;
      try {
        await this.#verifyFileRows(rows, file.handle, comparable ? index : undefined);
        return true;
      } catch (error) {
        if (!(error instanceof SessionError) || error.reason !== 'STORE_UNREADABLE') throw error;
        this.#list.add('sessions-file-unreadable', error.message, { file: name });
        lost = true;
      }
    } else if (file.state !== 'refused' && (index?.sessionsFileIdentity || (await this.#hasTranscripts()))) {
      const kind = file.state === 'open' ? 'sessions-file-empty' : 'sessions-file-missing';
      const what = file.state === 'open' ? 'the file has 0 bytes' : 'there is no sessions file';
      this.#list.add(kind, `${what}, but an index or transcripts`, { file: name });
      lost = true;
    }
    if (!index) return !lost;
    await this.#verifyIndexRows(rows, index);
    return true;
  }

  async #verifyFileRows(rows: RowVerifier, handle: FileHandle, index: IndexView | undefined): Promise<void> {
    for await (const entry of scanSessionsFile(handle)) {
      // In the index's own spelling: two keys that differ in half a character differ here too.
      const key = toIndexKey(entry.key);
      this.#totals.entries += 1;
      this.#keys.add(Buffer.from(key));
      this.#noteAlias(key);
      if (entry.duplicateKey) this.#list.add('duplicate-key', `the key stands in the file more than once, here at byte ${entry.offset}; the last one counts`, { key });
      if (index) this.#compare(key, entry.valueBytes, index);
      await rows.verify(key, entry.value);
      this.#step('entries');
    }
    for (const [key, indexed] of this.#differing) {
      if (indexed) this.#list.add('index-entry-differs', 'the index holds other bytes for this key than the file', { key });
      else this.#list.add('index-entry-missing', 'the file has this key, the index has not', { key });
    }
    if (index) this.#findExtraRows(index);
    for (const { key, twin } of this.#aliases) {
      if (this.#keys.has(Buffer.from(twin))) this.#list.add('alias-keys', `two rows are one conversation: this one and ${twin}`, { key });
    }
  }

  /** Of a key that stands in the file twice only the last one counts, so the verdict waits for the end. */
  #compare(key: string, valueBytes: Buffer, index: IndexView): void {
    const indexed = index.valueInFile(key);
    if (indexed?.equals(valueBytes) === true) this.#differing.delete(key);
    else if (this.#differing.size < DIFFERING_MAX) this.#differing.set(key, indexed !== undefined);
  }

  /** Keys that the index expects in the file and that are not there. */
  #findExtraRows(index: IndexView): void {
    const missing = (key: string): boolean => !this.#keys.has(Buffer.from(key)) && index.valueInFile(key) !== undefined;
    for (const { key } of index.rows()) if (missing(key)) this.#list.add('index-entry-extra', 'the index has this key, the file has not', { key });
    for (const key of index.removedKeys()) if (missing(key)) this.#list.add('index-entry-extra', 'the index remembers this key from the file, which has it no more', { key });
  }

  /** The rows as the index knows them, for a file that cannot tell. */
  async #verifyIndexRows(rows: RowVerifier, index: IndexView): Promise<void> {
    for (const { key, json } of index.rows()) {
      this.#totals.entries += 1;
      let value: unknown;
      try {
        value = JSON.parse(json.toString('utf8'));
      } catch {
        this.#list.add('index-entry-differs', 'the index holds bytes for this key that are no JSON', { key });
        continue;
      }
      await rows.verify(key, value);
      this.#step('entries');
    }
  }

  #noteAlias(key: string): void {
    if (!key.includes(':dm:') || this.#aliases.length >= ALIASES_MAX) return;
    this.#aliases.push({ key, twin: key.replace(':dm:', ':direct:') });
  }

  async #hasTranscripts(): Promise<boolean> {
    try {
      return (await readdir(this.#layout.dir)).some((name) => name.endsWith('.jsonl')) && neighbourStoresSync(this.#layout).length === 0;
    } catch (error) {
      if (errorCodeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  #step(phase: VerifyProgress['phase']): void {
    this.#options.signal?.throwIfAborted();
    this.#doneCount += 1;
    if (this.#doneCount % PROGRESS_STEP === 0 || phase === 'archives') {
      this.#options.onProgress?.({ agentId: this.#layout.agentId, phase, doneCount: this.#doneCount });
    }
  }
}
